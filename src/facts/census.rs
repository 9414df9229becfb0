//! The census: every copy of a listed library in a tree, and who loads it.
//!
//! *Reached* is a copy that some object of the tree loads: through its needs as the loader resolves
//! them, by a name that it passes to dlopen, from Python, or by a convention that is written here.
//! Roots are all objects that are no such copies themselves. Whether a copy is then too many is not
//! said here but in `checks/libraries.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::catalogue::{LIBRARIES, TOOLS, library_of, version_in_name};
use super::loader::{Closure, Loader};
use super::packages::{self, Manager, Owner};
use super::tree::Tree;

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

/// Sources that look for libraries on behalf of others are no users.
const FINDERS: [&str; 1] = ["/cuda/pathfinder/"];

/// Walks a root until `end` and takes the census of it. `library_path` is the application's
/// LD_LIBRARY_PATH, `mounts` the places that the container runtime mounted over.
pub fn take(root: &Path, library_path: &str, mounts: &[String], end: Instant) -> std::io::Result<Census> {
    let start = Instant::now();
    let tree = Tree::walk(root, end)?;
    let loader = Loader::new(&tree, library_path);
    let mut users = Users::new(&tree, &loader);
    users.follow_needs();
    users.follow_names();
    let (missing, wished) = users.missing();
    let copies = describe(&tree, users, mounts);
    let torch = tree.files.keys().find(|path| path.ends_with("/torch/lib/libtorch_cuda.so")).cloned();
    Ok(Census {
        root: root.to_string_lossy().into_owned(),
        entries: tree.entries,
        elf_files: tree.files.values().filter(|file| file.elf.is_some()).count() as u64,
        copies,
        tools: tools(&tree),
        missing,
        wished,
        torch,
        unreadable: tree.unreadable,
        skipped: tree.skipped,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Who loads what, found step by step.
struct Users<'a> {
    tree: &'a Tree,
    loader: &'a Loader<'a>,
    /// Real paths of the copies; hard links of one file count once.
    copies: BTreeSet<String>,
    /// Other names of a copy's inode.
    twins: HashMap<String, String>,
    reached: BTreeSet<String>,
    edges: BTreeMap<String, BTreeSet<User>>,
    missing: BTreeMap<String, BTreeSet<String>>,
    wished: BTreeMap<String, BTreeSet<String>>,
    /// What is loaded in a process that has imported torch, by soname.
    torch: HashMap<String, String>,
    torch_objects: HashSet<String>,
}

impl<'a> Users<'a> {
    fn new(tree: &'a Tree, loader: &'a Loader<'a>) -> Self {
        let (mut copies, mut twins, mut seen) = (BTreeSet::new(), HashMap::new(), HashMap::new());
        for (path, file) in &tree.files {
            let name = path.rsplit('/').next().unwrap_or(path);
            // A file of no bytes is what remains of an injected library in a committed image.
            if library_of(name).is_none() || (file.elf.is_none() && file.bytes > 0) {
                continue;
            }
            match seen.get(&file.identity) {
                Some(first) => drop(twins.insert(path.clone(), String::clone(first))),
                None => {
                    seen.insert(file.identity, path.clone());
                    copies.insert(path.clone());
                }
            }
        }
        Users {
            tree,
            loader,
            copies,
            twins,
            reached: BTreeSet::new(),
            edges: BTreeMap::new(),
            missing: BTreeMap::new(),
            wished: BTreeMap::new(),
            torch: HashMap::new(),
            torch_objects: HashSet::new(),
        }
    }

    fn copy<'p>(&'p self, path: &'p str) -> Option<&'p str> {
        let path = self.twins.get(path).map_or(path, String::as_str);
        self.copies.contains(path).then_some(path)
    }

    /// The closure of every root.
    fn follow_needs(&mut self) {
        let objects = self.tree.files.iter().filter(|(_, file)| file.elf.is_some()).map(|(path, _)| path);
        for path in objects.filter(|path| self.copy(path).is_none()).collect::<Vec<_>>() {
            let Some(closure) = self.loader.closure(path) else { continue };
            if path.contains("/torch/lib/") {
                for object in &closure.objects {
                    self.torch_objects.insert(object.path.clone());
                    let soname = object.elf.soname.clone();
                    self.torch.extend(soname.map(|soname| (soname, object.path.clone())));
                }
            }
            self.enter(&closure);
        }
    }

    fn enter(&mut self, closure: &Closure) {
        for edge in &closure.edges {
            let (from, to) = (&closure.objects[edge.from].path, &closure.objects[edge.to].path);
            if let Some(copy) = self.copy(to).map(str::to_owned) {
                self.use_copy(copy, from, How::Needed);
            }
        }
        for (by, soname) in &closure.missing {
            if library_of(soname).is_some() {
                self.missing.entry(soname.clone()).or_default().insert(closure.objects[*by].path.clone());
            }
        }
    }

    /// True where the copy was not reached before.
    fn use_copy(&mut self, copy: String, by: &str, how: How) -> bool {
        let users = self.edges.entry(copy.clone()).or_default();
        let needed = User { path: by.to_owned(), how: How::Needed };
        if !users.contains(&needed) {
            users.insert(User { how, ..needed });
        }
        self.reached.insert(copy)
    }

    /// Names in read-only data, in Python sources and by convention, until nothing new is reached.
    fn follow_names(&mut self) {
        let mut asked = BTreeSet::new();
        loop {
            let wanted = self.names();
            let mut changed = false;
            for (by, target, how) in wanted {
                if !asked.insert((by.clone(), target.clone())) {
                    continue;
                }
                if self.use_copy(target.clone(), &by, how) {
                    changed = true;
                    if let Some(closure) = self.loader.closure(&target) {
                        self.enter(&closure);
                    }
                }
            }
            if !changed {
                return;
            }
        }
    }

    fn names(&mut self) -> Vec<(String, String, How)> {
        let mut found = Vec::new();
        let mut wished = Vec::new();
        for (path, file) in &self.tree.files {
            let Some(elf) = &file.elf else { continue };
            let own = self.copy(path);
            if own.is_some_and(|copy| copy != path || !self.reached.contains(copy)) {
                continue;
            }
            for name in &elf.dlopen_names {
                let target = self.dlopen(path, name);
                match target.as_deref().and_then(|target| self.copy(target)) {
                    Some(copy) if Some(copy) != own => found.push((path.clone(), copy.to_owned(), How::Dlopen)),
                    Some(_) => {}
                    // A path is one of several that are tried.
                    None if name.contains('/') => {}
                    None => wished.push((name.clone(), path.clone())),
                }
            }
            found.extend(self.conventions(path).into_iter().map(|copy| (path.clone(), copy, How::Convention)));
        }
        for (name, path) in wished {
            self.wished.entry(name).or_default().insert(path);
        }
        for (source, stems) in &self.tree.python {
            if FINDERS.iter().any(|finder| source.contains(finder)) {
                continue;
            }
            for stem in stems {
                found.extend(self.python(source, stem).into_iter().map(|copy| (source.clone(), copy, How::Python)));
            }
        }
        found
    }

    /// What an object gets that asks for a name at run time: in torch's process perhaps what is there
    /// already.
    fn dlopen(&self, by: &str, name: &str) -> Option<String> {
        let loaded = self.torch_objects.contains(by).then(|| self.torch.get(name)).flatten();
        loaded.cloned().or_else(|| self.loader.dlopen(by, name))
    }

    /// What a Python source means by a stem: the NVIDIA wheel beside it, else what the loader finds.
    fn python(&self, source: &str, stem: &str) -> Vec<String> {
        let name = |path: &str| path.rsplit('/').next().unwrap_or(path).split(".so").next() == Some(stem);
        let site = ["/site-packages/", "/dist-packages/"].iter().find_map(|site| source.find(site).map(|at| &source[..at + site.len()]));
        let beside = site.map(|site| format!("{site}nvidia/"));
        let wheels: Vec<String> = match &beside {
            Some(beside) => self.copies.iter().filter(|copy| copy.starts_with(beside) && name(copy)).cloned().collect(),
            None => Vec::new(),
        };
        if !wheels.is_empty() {
            return wheels;
        }
        let sonames: BTreeSet<&str> = self
            .copies
            .iter()
            .filter(|copy| name(copy))
            .filter_map(|copy| self.tree.files[copy].elf.as_ref()?.soname.as_deref())
            .collect();
        let default = sonames.into_iter().find_map(|soname| self.loader.by_default(soname));
        default.iter().filter_map(|path| self.copy(path)).map(str::to_owned).collect()
    }

    /// Families whose parts are loaded by paths that are made at run time.
    fn conventions(&self, path: &str) -> Vec<String> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let in_directory = |directory: &str, prefix: &str| {
            let start = format!("{directory}/{prefix}");
            let inside = |copy: &&String| copy.starts_with(&start) && !copy[start.len()..].contains('/');
            self.copies.iter().filter(inside).cloned().collect::<Vec<_>>()
        };
        if name.starts_with("libcudnn.so") {
            return in_directory(directory, "libcudnn_");
        }
        if name == "libproton.so" {
            // Triton's profiler comes with CUPTI of its own, one for each generation of GPUs.
            let package = directory.rsplit_once('/').map_or("", |(package, _)| package);
            let homes = ["cupti", "cupti-blackwell"];
            let home = |home| in_directory(&format!("{package}/backends/nvidia/lib/{home}"), "libcupti.so");
            return homes.into_iter().flat_map(home).filter(|copy| copy.ends_with("/libcupti.so")).collect();
        }
        Vec::new()
    }

    fn missing(&mut self) -> (Vec<Missing>, Vec<Missing>) {
        let list = |of: &mut BTreeMap<String, BTreeSet<String>>| {
            let entries = std::mem::take(of).into_iter();
            let entry = |(soname, by): (String, BTreeSet<String>)| {
                let library = library_of(&soname)?.name.to_owned();
                Some(Missing { library, soname, by: by.into_iter().collect() })
            };
            entries.filter_map(entry).collect()
        };
        (list(&mut self.missing), list(&mut self.wished))
    }
}

fn describe(tree: &Tree, users: Users, mounts: &[String]) -> Vec<Copy> {
    let wanted: HashSet<String> = users.copies.iter().cloned().collect();
    let owners = packages::owners(tree, &wanted);
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

fn tools(tree: &Tree) -> Vec<ToolFound> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    for tool in &TOOLS {
        for path in tree.files.keys() {
            let Some(mark) = tool.marks.iter().find(|mark| path.ends_with(*mark)) else { continue };
            // Headers are a directory, named once.
            let place = if mark.ends_with(".h") { path.rsplit_once('/').map_or("", |(place, _)| place) } else { path };
            if !found.contains(&(tool.name, place)) {
                found.push((tool.name, place));
            }
        }
    }
    let key = |path: &str| {
        let headers = ["cuda.h", "cuda_runtime.h"].iter().map(|header| format!("{path}/{header}"));
        headers.into_iter().find(|header| tree.files.contains_key(header)).unwrap_or_else(|| path.to_owned())
    };
    let wanted: HashSet<String> = found.iter().map(|(_, path)| key(path)).collect();
    let owners = packages::owners(tree, &wanted);
    let bytes = |path: &str| tree.files.get(path).map(|file| file.bytes);
    let tool = |(tool, path): &(&str, &str)| ToolFound {
        tool: (*tool).to_owned(),
        path: (*path).to_owned(),
        bytes: bytes(path),
        owner: owners.get(&key(path)).cloned(),
    };
    found.iter().map(tool).collect()
}
