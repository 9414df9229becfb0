//! The census: every copy of a listed library in a tree, and who loads it.
//!
//! *Reached* is a copy that some object of the tree loads: through its needs as the loader resolves
//! them, by a name that it passes to dlopen, from Python, or by a convention (`users.rs`).
//! Roots are all objects that are no such copies themselves. Whether a copy is then too many is not
//! said here but in `verdict.rs`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::thread;

use serde::{Deserialize, Serialize};

use super::catalogue::{LIBRARIES, TOOLS, library_of, version_in_name};
use super::contents::{self, LeftoverFound};
use super::elf::Forward;
use super::fatbin::{self, DeviceCode};
use super::leftovers::Flavour;
use super::loader::{Loader, glibc_loader};
use super::packages::{self, Manager, PackageId, PackageSize};
use super::secrets::Secret;
use super::source::Source;
use super::tree::Tree;
use super::usage::Users;
use super::verdict::Verdict;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Census {
    pub root: String,
    pub entries: u64,
    pub elf_files: u64,
    /// Of all regular files, hard links once.
    pub bytes: u64,
    pub seconds: f64,
    /// Python sources, strings and device code were read as well.
    pub full: bool,
    /// What was assumed of the environment of the image's programs.
    pub library_path: Option<String>,
    pub copies: Vec<Copy>,
    pub tools: Vec<ToolFound>,
    /// Sonames of listed libraries that objects need and nothing provides.
    pub missing: Vec<Missing>,
    /// The same for names passed to dlopen, whose absence may be meant.
    pub wished: Vec<Missing>,
    /// Packages that own copies or tools.
    pub packages: Vec<PackageSize>,
    pub leftovers: Vec<LeftoverFound>,
    pub flavour: Flavour,
    /// Files that hold a secret; what it is is never kept.
    pub secrets: Vec<Secret>,
    /// `ID VERSION_ID` of os-release, such as `debian 12`.
    pub distribution: Option<String>,
    pub glibc: bool,
    pub shadows: Vec<Shadow>,
    pub mixed: Vec<Mixed>,
    pub version_gaps: Vec<VersionGap>,
    /// The object whose code decides where the image runs.
    pub framework: Option<Framework>,
    /// Of all objects of the tree.
    pub device_code: Vec<DeviceCode>,
    /// Programs may be among what could not be read.
    pub incomplete: bool,
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
    pub package: Option<PackageId>,
    pub users: Vec<User>,
    /// Some program loads it.
    pub reached: bool,
    /// Nothing is seen to load it, nothing replaces it; or such a copy needs it.
    pub kept: bool,
    pub verdict: Verdict,
    pub device_code: Vec<DeviceCode>,
    /// libcuda alone: the drivers that it says it stands in for.
    pub forward: Option<Forward>,
}

/// The kernels of a framework, such as libtorch_cuda.so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Framework {
    pub path: String,
    pub device_code: Vec<DeviceCode>,
}

/// LD_LIBRARY_PATH wins over the copy that an object's own search path means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shadow {
    pub by: String,
    pub meant: String,
    pub winner: String,
}

/// Copies of one family that a process loads from different directories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mixed {
    pub program: String,
    pub copies: Vec<String>,
}

/// An object needs a version that the library it gets does not define.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VersionGap {
    pub by: String,
    pub provider: String,
    pub version: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Mounted over the image by the container runtime.
    Injected,
    /// An NVIDIA wheel.
    Wheel,
    /// A package of the distribution.
    Package,
    /// A package of a conda environment.
    Conda,
    /// A toolkit that nobody owns, below a directory of CUDA.
    Toolkit,
    /// For linking only: its functions do nothing.
    Stub,
    /// Inside a Python distribution of somebody else.
    Vendored,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct User {
    pub path: String,
    pub how: How,
}

/// How a user was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// DT_NEEDED.
    Needed,
    /// LD_PRELOAD or /etc/ld.so.preload: every program.
    Preload,
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
    pub origin: Origin,
    pub package: Option<PackageId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    pub library: String,
    pub soname: String,
    pub by: Vec<String>,
}

/// The census of a tree.
pub fn take(source: &Source) -> Census {
    let tree = &source.tree;
    let library_path = source.environment.library_path.clone();
    let loader = Loader::new(tree, source.environment.clone());
    let mut users = Users::new(tree, &loader);
    let traces = traces(tree);
    let of_tools = traces.iter().map(|trace| trace.file.to_owned());
    let (leftovers, flavour) = contents::leftovers(tree);
    let of_leftovers = leftovers.iter().map(|leftover| leftover.largest.clone());
    let wanted: HashSet<String> = users.copies.iter().cloned().chain(of_tools).chain(of_leftovers).collect();
    let owners = thread::scope(|scope| {
        // Owners are read while users are followed: neither needs the other.
        let read = || packages::owners(tree, &wanted);
        let owners = thread::Builder::new().spawn_scoped(scope, read);
        users.follow_needs();
        users.follow_names();
        users.keep_rest();
        // Where no thread may be started, one comes after the other.
        owners.map_or_else(|_| read(), |owners| owners.join().expect("reading packages does not panic"))
    });
    let (missing, wished) = users.missing();
    let packages::Ownership { owners, packages, unreadable } = owners;
    let copies = describe(tree, &users, &owners, &source.mounts);
    let unreadable = tree.unreadable.iter().cloned().chain(unreadable).chain(impostors(tree)).collect();
    let mixed = users
        .mixed
        .iter()
        .map(|(copies, program)| Mixed { program: program.clone(), copies: copies.clone() });
    let (mixed, shadows, version_gaps) = (mixed.collect(), users.shadows, users.version_gaps);
    let torch = tree.files.keys().find(|path| path.ends_with("/torch/lib/libtorch_cuda.so")).cloned();
    let elves = || tree.files.values().filter_map(|file| file.elf.as_ref());
    let mut census = Census {
        root: source.root.clone(),
        full: source.full,
        seconds: source.start.elapsed().as_secs_f64(),
        entries: tree.entries,
        elf_files: elves().count() as u64,
        bytes: tree.bytes(),
        library_path,
        copies,
        tools: tools(tree, &traces, &owners),
        missing,
        wished,
        shadows: shadows.into_iter().collect(),
        mixed,
        version_gaps: version_gaps.into_iter().collect(),
        device_code: fatbin::merged(elves().map(|elf| elf.device_code.as_slice())),
        framework: torch.as_ref().and_then(|path| {
            let device_code = tree.files[path].elf.as_ref()?.device_code.clone();
            Some(Framework { path: path.clone(), device_code })
        }),
        torch,
        leftovers: leftovers.into_iter().map(|leftover| contents::owned(leftover, &owners)).collect(),
        flavour,
        secrets: contents::secrets(tree),
        distribution: contents::distribution(tree),
        glibc: glibc_loader(tree).is_some(),
        packages,
        incomplete: tree.incomplete,
        unreadable,
        skipped: tree.skipped.clone(),
    };
    census.decide();
    census
}

/// Files with the name of a listed library, version included, that are no libraries: an unfetched pointer of
/// Git LFS, an error page. Empty ones are a finding of their own, and a text for the linker has no version.
fn impostors(tree: &Tree) -> impl Iterator<Item = String> {
    let named = tree.files.iter().filter(|(path, file)| {
        let name = path.rsplit('/').next().unwrap_or(path);
        file.elf.is_none()
            && file.bytes > 0
            && name.contains(".so.")
            && library_of(name).is_some()
            // What could not be opened may be one.
            && !tree.unreadable.iter().any(|line| line.contains(&format!("{path}: ")))
    });
    named.map(|(path, _)| format!("{path}: has the name of a library and is no ELF file"))
}

fn describe(
    tree: &Tree,
    users: &Users,
    owners: &BTreeMap<String, PackageId>,
    mounts: &[String],
) -> Vec<Copy> {
    let mut links = tree.links_to(&users.copies);
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
                links: links.remove(path).unwrap_or_default(),
                soname: file.elf.as_ref().and_then(|elf| elf.soname.clone()),
                version: version(name, owner.as_ref(), origin),
                bytes: file.bytes,
                origin,
                package: owner,
                users: strongest(users.edges.get(path)),
                reached: users.reached.contains(path),
                kept: users.kept.contains(path),
                verdict: Verdict::default(),
                device_code: file.elf.as_ref().map(|elf| elf.device_code.clone()).unwrap_or_default(),
                forward: file.elf.as_ref().and_then(|elf| elf.forward.clone()),
                path: path.clone(),
            }
        })
        .collect();
    let place = |copy: &Copy| LIBRARIES.iter().position(|library| library.name == copy.library);
    copies.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.path.cmp(&b.path)));
    copies
}

/// Each user once, in the way that proves most, those first.
fn strongest(users: Option<&BTreeSet<User>>) -> Vec<User> {
    let mut list: Vec<User> = users.into_iter().flatten().cloned().collect();
    // Sorted by path, then by how.
    list.dedup_by(|later, first| later.path == first.path);
    list.sort_by(|a, b| a.how.cmp(&b.how).then_with(|| a.path.cmp(&b.path)));
    list
}

fn origin(path: &str, owner: Option<&PackageId>, mounts: &[String]) -> Origin {
    if mounts.iter().any(|mount| path == mount || path.starts_with(&format!("{mount}/"))) {
        return Origin::Injected;
    }
    if path.contains("/stubs/") {
        return Origin::Stub;
    }
    match owner {
        Some(PackageId { manager: Manager::Dpkg | Manager::Apk | Manager::Rpm, .. }) => Origin::Package,
        Some(PackageId { manager: Manager::Conda, .. }) => Origin::Conda,
        Some(PackageId { manager: Manager::Pip, name, .. }) if name.starts_with("nvidia-") => Origin::Wheel,
        Some(PackageId { manager: Manager::Pip, .. }) => Origin::Vendored,
        None if path.contains("/cuda") => Origin::Toolkit,
        None => Origin::Other,
    }
}

/// NVIDIA's wheels cut the version from their file names; elsewhere the file name has it.
fn version(name: &str, owner: Option<&PackageId>, origin: Origin) -> Option<String> {
    let owned = owner.map(|owner| owner.version.clone());
    // The number of an interface alone, as in libcusparseLt.so.0, is no version.
    let in_name = version_in_name(name).filter(|version| version.contains('.')).map(str::to_owned);
    match origin {
        Origin::Wheel => owned,
        // What vendors a library has a version of its own.
        Origin::Vendored => in_name,
        _ => in_name.or(owned),
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

fn tools(tree: &Tree, traces: &[Trace], owners: &BTreeMap<String, PackageId>) -> Vec<ToolFound> {
    let found = |trace: &Trace| ToolFound {
        tool: trace.tool.to_owned(),
        path: trace.place.to_owned(),
        bytes: tree.files.get(trace.place).map(|file| file.bytes),
        origin: origin(trace.file, owners.get(trace.file), &[]),
        package: owners.get(trace.file).cloned(),
    };
    traces.iter().map(found).collect()
}
