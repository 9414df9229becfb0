//! The census: every copy of a listed library in a tree, and who loads it.
//!
//! *Reached* is a copy that some object of the tree loads: through its needs as the loader resolves
//! them, by a name that it passes to dlopen, from Python, or by a convention (`users.rs`).
//! Roots are all objects that are no such copies themselves. Whether a copy is then too many is not
//! said here but in `checks/libraries.rs`.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::thread;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::catalogue::{LIBRARIES, TOOLS, library_of, version_in_name};
use super::loader::Loader;
use super::packages::{self, Manager, Owner};
use super::tree::Tree;
use super::users::Users;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Census {
    pub root: String,
    pub entries: u64,
    pub elf_files: u64,
    pub seconds: f64,
    pub copies: Vec<Copy>,
    pub tools: Vec<ToolFound>,
    /// Sonames of listed libraries that objects need and nothing provides.
    pub missing: Vec<Missing>,
    /// The same for names passed to dlopen, whose absence may be meant.
    pub wished: Vec<Missing>,
    /// What could not be read; the census is silent about it.
    pub unreadable: Vec<String>,
    pub skipped: Vec<String>,
    /// `libtorch_cuda.so`, where torch is there.
    pub torch: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copy {
    pub library: String,
    /// Real path inside the tree.
    pub path: String,
    pub links: Vec<String>,
    pub soname: Option<String>,
    pub version: Option<String>,
    pub bytes: u64,
    pub origin: Origin,
    pub owner: Option<Owner>,
    pub users: Vec<User>,
    pub reached: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Mounted over the image by the container runtime.
    Injected,
    /// An NVIDIA wheel.
    Wheel,
    /// A package of the distribution.
    Package,
    /// A toolkit that nobody owns, below a directory of CUDA.
    Toolkit,
    /// For linking only: its functions do nothing.
    Stub,
    /// Inside a Python distribution of somebody else.
    Vendored,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct User {
    pub path: String,
    pub how: How,
}

/// How a user was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// DT_NEEDED.
    Needed,
    /// A file name in an object that imports dlopen.
    Dlopen,
    /// A file name in a Python source that uses ctypes.
    Python,
    /// A known habit, such as cuDNN's of loading its parts.
    Convention,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolFound {
    pub tool: String,
    /// A file, or the directory of headers.
    pub path: String,
    /// None for a directory.
    pub bytes: Option<u64>,
    pub owner: Option<Owner>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    pub library: String,
    pub soname: String,
    pub by: Vec<String>,
}

/// Walks a root until `end` and takes the census of it. `library_path` is the application's
/// LD_LIBRARY_PATH, `mounts` the places that the container runtime mounted over.
pub fn take(root: &Path, library_path: &str, mounts: &[String], end: Instant) -> std::io::Result<Census> {
    let start = Instant::now();
    let tree = Tree::walk(root, end)?;
    let loader = Loader::new(&tree, library_path);
    let mut users = Users::new(&tree, &loader);
    let traces = traces(&tree);
    let of_tools = traces.iter().map(|trace| trace.file.to_owned());
    let wanted: HashSet<String> = users.copies.iter().cloned().chain(of_tools).collect();
    let owners = thread::scope(|scope| {
        // Owners are read while users are followed: neither needs the other.
        let owners = scope.spawn(|| packages::owners(&tree, &wanted));
        users.follow_needs();
        users.follow_names();
        owners.join().expect("reading packages does not panic")
    });
    let (missing, wished) = users.missing();
    let copies = describe(&tree, &users, &owners, mounts);
    let torch = tree.files.keys().find(|path| path.ends_with("/torch/lib/libtorch_cuda.so")).cloned();
    Ok(Census {
        root: root.to_string_lossy().into_owned(),
        entries: tree.entries,
        elf_files: tree.files.values().filter(|file| file.elf.is_some()).count() as u64,
        copies,
        tools: tools(&tree, &traces, &owners),
        missing,
        wished,
        torch,
        unreadable: tree.unreadable,
        skipped: tree.skipped,
        seconds: start.elapsed().as_secs_f64(),
    })
}

fn describe(tree: &Tree, users: &Users, owners: &BTreeMap<String, Owner>, mounts: &[String]) -> Vec<Copy> {
    let mut copies: Vec<Copy> = users
        .copies
        .iter()
        .map(|path| {
            let file = &tree.files[path];
            let name = path.rsplit('/').next().unwrap_or(path);
            let owner = owners.get(path).cloned();
            let origin = origin(path, owner.as_ref(), mounts);
            Copy {
                library: library_of(name).map_or("", |library| library.name).to_owned(),
                links: tree.links_to(path),
                soname: file.elf.as_ref().and_then(|elf| elf.soname.clone()),
                version: version(name, owner.as_ref(), origin),
                bytes: file.bytes,
                origin,
                owner,
                users: users.edges.get(path).into_iter().flatten().cloned().collect(),
                reached: users.reached.contains(path),
                path: path.clone(),
            }
        })
        .collect();
    let place = |copy: &Copy| LIBRARIES.iter().position(|library| library.name == copy.library);
    copies.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.path.cmp(&b.path)));
    for copy in &mut copies {
        copy.users.sort_by(|a, b| a.how.cmp(&b.how).then_with(|| a.path.cmp(&b.path)));
    }
    copies
}

fn origin(path: &str, owner: Option<&Owner>, mounts: &[String]) -> Origin {
    if mounts.iter().any(|mount| path == mount || path.starts_with(&format!("{mount}/"))) {
        return Origin::Injected;
    }
    if path.contains("/stubs/") {
        return Origin::Stub;
    }
    match owner {
        Some(Owner { manager: Manager::Dpkg, .. }) => Origin::Package,
        Some(Owner { manager: Manager::Pip, name, .. }) if name.starts_with("nvidia-") => Origin::Wheel,
        Some(Owner { manager: Manager::Pip, .. }) => Origin::Vendored,
        None if path.contains("/cuda") => Origin::Toolkit,
        None => Origin::Other,
    }
}

/// NVIDIA's wheels cut the version from their file names; elsewhere the file name has it.
fn version(name: &str, owner: Option<&Owner>, origin: Origin) -> Option<String> {
    let owned = owner.map(|owner| owner.version.clone());
    match origin {
        Origin::Wheel => owned,
        _ => version_in_name(name).map(str::to_owned).or(owned),
    }
}

/// A tool as it was found: its name, its place, and the file by which its owner is known.
struct Trace<'a> {
    tool: &'static str,
    place: &'a str,
    file: &'a str,
}

fn traces(tree: &Tree) -> Vec<Trace<'_>> {
    let mut traces: Vec<Trace> = Vec::new();
    for tool in &TOOLS {
        for file in tree.files.keys() {
            let Some(mark) = tool.marks.iter().find(|mark| file.ends_with(*mark)) else { continue };
            // Headers are a directory, named once.
            let directory = file.rsplit_once('/').map_or("", |(directory, _)| directory);
            let place = if mark.ends_with(".h") { directory } else { file };
            if !traces.iter().any(|known| (known.tool, known.place) == (tool.name, place)) {
                traces.push(Trace { tool: tool.name, place, file });
            }
        }
    }
    traces
}

fn tools(tree: &Tree, traces: &[Trace], owners: &BTreeMap<String, Owner>) -> Vec<ToolFound> {
    let found = |trace: &Trace| ToolFound {
        tool: trace.tool.to_owned(),
        path: trace.place.to_owned(),
        bytes: tree.files.get(trace.place).map(|file| file.bytes),
        owner: owners.get(trace.file).cloned(),
    };
    traces.iter().map(found).collect()
}
