//! Who loads which copy: dependencies, names passed to dlopen and ctypes, and conventions, followed until
//! nothing new is reached.
//!
//! The roots are all objects of the image that are not copies of CUDA libraries. A copy is used if a root leads
//! to it: by DT_NEEDED, a preload, a name in the read-only data of an object that imports dlopen, a name in a
//! Python source that uses ctypes, or a convention (parts of cuDNN, NVRTC, NCCL and CUPTI; Triton's own CUPTI).
//! A need that the loader cannot meet counts as met if Python loads the wheel first. `keep.rs` decides which of
//! the unreached copies have to stay.

mod keep;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::catalogue::{PARTS, library_of};
use crate::census::{How, Missing, Shadow, User, VersionGap};
use crate::loader::{Closure, Loaded, Loader};
use crate::python::PythonNames;
use crate::tree::Tree;

/// Libraries that must be of the same release.
const FAMILIES: [&[&str]; 2] = [&["libcublas", "libcublasLt"], &["libcudnn"]];

/// Sources that find libraries for others are not users.
const FINDERS: [&str; 1] = ["/cuda/pathfinder/"];

/// Who loads what, found step by step.
pub struct Users<'a> {
    tree: &'a Tree,
    loader: &'a Loader<'a>,
    /// Real paths of the copies; a file with several hard links counts once.
    pub copies: BTreeSet<String>,
    /// Other hard links of a copy.
    twins: HashMap<String, String>,
    /// Copies that some object loads.
    pub reached: BTreeSet<String>,
    /// Copies that nothing reaches or replaces, and what they need.
    pub kept: BTreeSet<String>,
    /// Copies of one family that a process loads from different directories, with the process.
    pub mixed: BTreeMap<Vec<String>, String>,
    pub shadows: BTreeSet<Shadow>,
    pub version_gaps: BTreeSet<VersionGap>,
    pub edges: BTreeMap<String, BTreeSet<User>>,
    missing: BTreeMap<String, BTreeSet<String>>,
    optional: BTreeMap<String, BTreeSet<String>>,
    /// Objects in a process that has imported torch, by soname.
    torch: HashMap<String, String>,
    torch_objects: HashSet<String>,
}

impl<'a> Users<'a> {
    pub fn new(tree: &'a Tree, loader: &'a Loader<'a>) -> Self {
        let (mut copies, mut twins, mut seen) = (BTreeSet::new(), HashMap::new(), HashMap::new());
        for (path, file) in &tree.files {
            let name = path.rsplit('/').next().unwrap_or(path);
            // Committing a container leaves empty files in place of injected libraries.
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
            kept: BTreeSet::new(),
            mixed: BTreeMap::new(),
            shadows: BTreeSet::new(),
            version_gaps: BTreeSet::new(),
            edges: BTreeMap::new(),
            missing: BTreeMap::new(),
            optional: BTreeMap::new(),
            torch: HashMap::new(),
            torch_objects: HashSet::new(),
        }
    }

    fn copy<'p>(&'p self, path: &'p str) -> Option<&'p str> {
        let path = self.twins.get(path).map_or(path, String::as_str);
        self.copies.contains(path).then_some(path)
    }

    /// Follows the dependencies of every root.
    pub fn follow_needs(&mut self) {
        for name in self.loader.preloaded() {
            let found =
                if name.contains('/') { self.tree.resolve(name) } else { self.loader.by_default(name) };
            if let Some(copy) = found.and_then(|path| self.copy(&path).map(str::to_owned)) {
                self.use_copy(copy, "LD_PRELOAD", How::Preload);
            }
        }
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
            self.add(&closure);
        }
    }

    fn add(&mut self, closure: &Closure) {
        for edge in &closure.edges {
            let (from, to) = (&closure.objects[edge.from], &closure.objects[edge.to]);
            if let Some(copy) = self.copy(&to.path).map(str::to_owned) {
                if let Some(meant) = edge.instead_of.as_ref().and_then(|meant| self.tree.resolve(meant)) {
                    self.shadows.insert(Shadow { by: from.path.clone(), meant, winner: copy.clone() });
                }
                self.use_copy(copy, &from.path, How::Needed);
            }
            self.compare_versions(from, to);
        }
        self.find_mixed(closure);
        for (by, soname) in &closure.missing {
            let by = closure.objects[*by].path.as_str();
            if let Some(wheel) = self.preloaded_wheel(by, soname) {
                self.use_copy(wheel, by, How::Python);
            } else if library_of(soname).is_some() {
                self.missing.entry(soname.clone()).or_default().insert(by.to_owned());
            }
        }
    }

    /// Symbol versions that an object needs and its library does not define.
    fn compare_versions(&mut self, from: &Loaded, to: &Loaded) {
        let defined = &to.elf.versions_defined;
        let needs = from.elf.versions_needed.iter().filter(|need| to.answers_to(&need.soname));
        for version in needs.flat_map(|need| &need.versions).filter(|_| !defined.is_empty()) {
            if !defined.contains(version) {
                let (by, provider) = (from.path.clone(), to.path.clone());
                self.version_gaps.insert(VersionGap { by, provider, version: version.clone() });
            }
        }
    }

    /// Copies of one family that a process loads from different directories.
    fn find_mixed(&mut self, closure: &Closure) {
        for family in FAMILIES {
            let member = |path: &&str| {
                let name = path.rsplit('/').next().unwrap_or(path);
                library_of(name).is_some_and(|library| family.contains(&library.name))
            };
            let loaded = closure.objects.iter().filter_map(|object| self.copy(&object.path));
            let copies: BTreeSet<&str> = loaded.filter(member).collect();
            let directories: BTreeSet<&str> =
                copies.iter().filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
            if directories.len() > 1 {
                let copies = copies.into_iter().map(str::to_owned).collect();
                self.mixed.entry(copies).or_insert_with(|| closure.objects[0].path.clone());
            }
        }
    }

    /// True if the copy was not reached before.
    fn use_copy(&mut self, copy: String, by: &str, how: How) -> bool {
        let users = self.edges.entry(copy.clone()).or_default();
        let needed = User { path: by.to_owned(), how: How::Needed };
        if !users.contains(&needed) {
            users.insert(User { how, ..needed });
        }
        self.reached.insert(copy)
    }

    /// Follows names in read-only data and Python sources, and conventions, until nothing new is reached.
    pub fn follow_names(&mut self) {
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
                        self.add(&closure);
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
        let mut optional = Vec::new();
        for (path, file) in &self.tree.files {
            let Some(elf) = &file.elf else { continue };
            let own = self.copy(path);
            if own.is_some_and(|copy| copy != path || !self.reached.contains(copy)) {
                continue;
            }
            for name in elf.names.iter().filter(|_| elf.imports_dlopen) {
                let target = self.dlopen(path, name);
                match target.as_deref().and_then(|target| self.copy(target)) {
                    Some(copy) if Some(copy) != own => {
                        found.push((path.clone(), copy.to_owned(), How::Dlopen))
                    }
                    Some(_) => {}
                    // A path is usually one of several that are tried.
                    None if name.contains('/') => {}
                    None => optional.push((name.clone(), path.clone())),
                }
            }
            found.extend(self.parts(path).into_iter().map(|copy| (path.clone(), copy, How::Convention)));
        }
        for (name, path) in optional {
            self.optional.entry(name).or_default().insert(path);
        }
        for (source, source_names) in &self.tree.python {
            if FINDERS.iter().any(|finder| source.contains(finder)) {
                continue;
            }
            for stem in &source_names.loads {
                found.extend(
                    self.python(source, stem).into_iter().map(|copy| (source.clone(), copy, How::Python)),
                );
            }
        }
        found
    }

    /// What an object gets from dlopen. In torch's process the library may be loaded already.
    fn dlopen(&self, by: &str, name: &str) -> Option<String> {
        let loaded = self.torch_objects.contains(by).then(|| self.torch.get(name)).flatten();
        loaded.cloned().or_else(|| self.loader.dlopen(by, name))
    }

    /// What a Python source gets for a stem: the NVIDIA wheel of its site, else what the loader finds.
    fn python(&self, source: &str, stem: &str) -> Vec<String> {
        let wheels = self.wheels_beside(source, stem);
        if !wheels.is_empty() {
            return wheels;
        }
        let of_stem = self.copies.iter().filter(|copy| has_stem(copy, stem));
        let sonames: BTreeSet<&str> =
            of_stem.filter_map(|copy| self.tree.files[copy].elf.as_ref()?.soname.as_deref()).collect();
        let default = sonames.into_iter().find_map(|soname| self.loader.by_default(soname));
        default.iter().filter_map(|path| self.copy(path)).map(str::to_owned).collect()
    }

    /// The wheel that Python preloads for an object that would not find it: a source of its site loads it by
    /// name, or cuda.pathfinder is installed there.
    fn preloaded_wheel(&self, object: &str, soname: &str) -> Option<String> {
        let site = site(object)?;
        let wheel = self.copies.iter().find(|copy| {
            copy.strip_prefix(site).is_some_and(|inside| inside.starts_with("nvidia/"))
                && self.soname(copy) == Some(soname)
        })?;
        let loads = |(path, source): &(String, PythonNames)| {
            path.starts_with(site) && source.loads.iter().any(|stem| has_stem(soname, stem))
        };
        (self.has_finder(site) || self.tree.python.iter().any(loads)).then(|| wheel.clone())
    }

    /// Whether cuda.pathfinder, which finds wheels by name, is installed in a site.
    fn has_finder(&self, site: &str) -> bool {
        let finder = format!("{}{}", site.trim_end_matches('/'), FINDERS[0]);
        self.tree.files.range(finder.clone()..).next().is_some_and(|(path, _)| path.starts_with(&finder))
    }

    fn soname(&self, copy: &str) -> Option<&str> {
        self.tree.files.get(copy)?.elf.as_ref()?.soname.as_deref()
    }

    fn wheels_beside(&self, source: &str, stem: &str) -> Vec<String> {
        let Some(beside) = site(source).map(|site| format!("{site}nvidia/")) else { return Vec::new() };
        self.copies.iter().filter(|copy| copy.starts_with(&beside) && has_stem(copy, stem)).cloned().collect()
    }

    /// Libraries that an object loads by paths composed at run time.
    fn parts(&self, path: &str) -> Vec<String> {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name == "libproton.so" {
            // Triton's profiler brings its own CUPTI, one per generation of GPUs.
            let package = directory.rsplit_once('/').map_or("", |(package, _)| package);
            let home =
                |home| self.in_directory(&format!("{package}/backends/nvidia/lib/{home}"), "libcupti.so");
            let homes = ["cupti", "cupti-blackwell"].into_iter().flat_map(home);
            return homes.filter(|copy| copy.ends_with("/libcupti.so")).collect();
        }
        let part = PARTS.iter().find(|(library, _)| name.starts_with(library));
        part.map(|(_, prefix)| self.in_directory(directory, prefix)).unwrap_or_default()
    }

    /// Copies directly in a directory whose names have a prefix.
    fn in_directory(&self, directory: &str, prefix: &str) -> Vec<String> {
        let start = format!("{directory}/{prefix}");
        let inside = self.copies.range(start.clone()..).take_while(|copy| copy.starts_with(&start));
        inside.filter(|copy| !copy[start.len()..].contains('/')).cloned().collect()
    }

    /// Missing libraries: those that are linked, and those that are only passed to dlopen.
    pub fn missing(&mut self) -> (Vec<Missing>, Vec<Missing>) {
        let list = |of: &mut BTreeMap<String, BTreeSet<String>>| {
            let entries = std::mem::take(of).into_iter();
            let entry = |(soname, by): (String, BTreeSet<String>)| {
                let library = library_of(&soname)?.name.to_owned();
                Some(Missing { library, soname, by: by.into_iter().collect() })
            };
            entries.filter_map(entry).collect()
        };
        (list(&mut self.missing), list(&mut self.optional))
    }
}

fn has_stem(path: &str, stem: &str) -> bool {
    path.rsplit('/').next().unwrap_or(path).split(".so").next() == Some(stem)
}

/// The directory of Python packages that contains a file, with a trailing slash.
fn site(path: &str) -> Option<&str> {
    let sites = ["/site-packages/", "/dist-packages/"];
    sites.iter().find_map(|site| path.find(site).map(|at| &path[..at + site.len()]))
}
