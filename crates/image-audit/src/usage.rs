//! Who loads which copy: dependencies, names passed to dlopen and ctypes, requirements and conventions, followed
//! until nothing new is reached.
//!
//! The roots are all objects of the image that are not copies of CUDA libraries, at every name by which they are
//! loaded. A copy is used if a root leads to it: by DT_NEEDED, a preload, a name in the read-only data or pieces of
//! a name in the code of an object that imports dlopen, a search path of such an object, a name in a Python package
//! that uses ctypes or cuda.pathfinder, or a convention (parts of cuDNN, NVRTC, NCCL, CUPTI, NVSHMEM, cuDSS, cuFile and TensorRT;
//! Triton's own CUPTI).
//!
//! `opened.rs` finds what is loaded by name, `unseen.rs` by names that cannot be seen, `gaps.rs` what is missing, and
//! `keep.rs` which of the unreached copies have to stay. `packages.rs` knows Python packages, `places.rs` the names
//! of files.

mod gaps;
mod keep;
mod opened;
mod packages;
mod places;
mod unseen;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::catalogue::library_of;
use crate::census::{Held, How, Shadow, User, VersionGap};
use crate::loader::{Closure, Loaded, Loader};
use crate::packages::pip::Distribution;
use crate::paths;
use crate::tree::Tree;

pub use gaps::AllMissing;
use gaps::Gaps;
use packages::Packages;
pub use places::Places;
use unseen::Unseen;

/// Libraries that must be of the same release.
const FAMILIES: [&[&str]; 2] = [&["libcublas", "libcublasLt"], &["libcudnn"]];

/// Who loads what, found step by step.
pub struct Users<'a> {
    tree: &'a Tree,
    loader: &'a Loader<'a>,
    pub places: &'a Places,
    packages: Packages<'a>,
    /// Copies by their first names: a file with several names counts once.
    pub copies: BTreeSet<String>,
    /// Copies that some object loads.
    pub reached: BTreeSet<String>,
    /// Copies that the metadata of an installed package requires.
    pub required: BTreeSet<String>,
    /// Copies that nothing reaches and that have to stay, with the reason.
    pub kept: BTreeMap<String, Held>,
    /// Copies of one family that a process loads from different directories, with the process.
    pub mixed: BTreeMap<Vec<String>, String>,
    pub shadows: BTreeSet<Shadow>,
    pub version_gaps: BTreeSet<VersionGap>,
    pub edges: BTreeMap<String, BTreeSet<User>>,
    gaps: Gaps,
    /// Whether cuda.pathfinder is installed.
    finder: OnceCell<bool>,
    unseen: Unseen,
    /// What objects open by the DT_RPATH of those that load them: the name and the copy.
    inherited: BTreeMap<String, BTreeSet<(String, String)>>,
    /// Objects in a process that has imported torch, by soname.
    torch: HashMap<String, String>,
    torch_objects: HashSet<String>,
    /// Copies that the objects of each Python package load, by soname.
    linked: HashMap<usize, HashMap<String, String>>,
    /// Copies that the Python code of each package loads, with what they need.
    scripted: HashMap<usize, HashMap<String, String>>,
}

impl<'a> Users<'a> {
    pub fn new(
        tree: &'a Tree,
        loader: &'a Loader<'a>,
        places: &'a Places,
        installed: &'a [Distribution],
    ) -> Self {
        let copies = copies(tree, places);
        Users {
            tree,
            loader,
            places,
            packages: Packages::new(tree, places, installed),
            copies,
            reached: BTreeSet::new(),
            required: BTreeSet::new(),
            kept: BTreeMap::new(),
            mixed: BTreeMap::new(),
            shadows: BTreeSet::new(),
            version_gaps: BTreeSet::new(),
            edges: BTreeMap::new(),
            gaps: Gaps::default(),
            finder: OnceCell::new(),
            unseen: Unseen::default(),
            inherited: BTreeMap::new(),
            torch: HashMap::new(),
            torch_objects: HashSet::new(),
            linked: HashMap::new(),
            scripted: HashMap::new(),
        }
    }

    fn copy<'p>(&'p self, path: &'p str) -> Option<&'p str> {
        let path = self.places.first(path);
        self.copies.contains(path).then_some(path)
    }

    /// The copy at a path, links followed.
    fn copy_at(&self, path: &str) -> Option<String> {
        let real = self.tree.resolve(path)?;
        self.copy(&real).map(str::to_owned)
    }

    /// What is loaded with a copy at each of its names.
    fn closures(&self, copy: &str) -> Vec<Closure<'a>> {
        self.places.loaded(copy).into_iter().filter_map(|name| self.loader.closure(name)).collect()
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
        let roots: Vec<&String> =
            objects.filter(|path| self.places.first(path) == *path && self.copy(path).is_none()).collect();
        for path in roots {
            let packages = self.packages.of(self.places, path);
            for name in self.places.loaded(path) {
                let Some(closure) = self.loader.closure(name) else { continue };
                if name.contains("/torch/lib/") {
                    for object in &closure.objects {
                        self.torch_objects.insert(object.path.clone());
                        let soname = object.elf.soname.clone();
                        self.torch.extend(soname.map(|soname| (soname, object.path.clone())));
                    }
                }
                let copies = self.copies_in(&closure);
                for package in &packages {
                    self.linked.entry(*package).or_default().extend(copies.iter().cloned());
                }
                self.note_inherited(&closure);
                self.add(&closure);
            }
        }
    }

    /// For programs and their libraries: which of their own parts NVIDIA's libraries open is known.
    fn note_inherited(&mut self, closure: &Closure<'a>) {
        for (number, object) in closure.objects.iter().enumerate().skip(1) {
            if !object.elf.imports_dlopen || self.copy(&object.path).is_some() {
                continue;
            }
            for name in &object.elf.names {
                let found = self.loader.dlopen_by_inheritance(closure, number, name);
                if let Some(copy) = found.and_then(|path| self.copy(&path).map(str::to_owned)) {
                    let by = self.places.first(&object.path).to_owned();
                    self.inherited.entry(by).or_default().insert((name.clone(), copy));
                }
            }
        }
    }

    /// Copies in a closure, by soname.
    fn copies_in(&self, closure: &Closure) -> Vec<(String, String)> {
        let copy = |object: &Loaded| {
            let copy = self.copy(&object.path)?.to_owned();
            Some((object.elf.soname.clone()?, copy))
        };
        closure.objects.iter().filter_map(copy).collect()
    }

    fn add(&mut self, closure: &Closure) {
        for edge in &closure.edges {
            let (from, to) = (&closure.objects[edge.from], &closure.objects[edge.to]);
            if let Some(copy) = self.copy(&to.path).map(str::to_owned) {
                if let Some(meant) = edge.instead_of.as_ref().and_then(|meant| self.tree.resolve(meant)) {
                    let meant = self.places.first(&meant).to_owned();
                    self.shadows.insert(Shadow { by: from.path.clone(), meant, winner: copy.clone() });
                }
                self.use_copy(copy, &from.path, How::Needed);
            }
            self.compare_versions(from, to);
        }
        self.find_mixed(closure);
        self.gaps.add(closure, self.places);
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
                let name = paths::name(path);
                library_of(name).is_some_and(|library| family.contains(&library.name))
            };
            let loaded = closure.objects.iter().filter_map(|object| self.copy(&object.path));
            let copies: BTreeSet<&str> = loaded.filter(member).collect();
            let directories: BTreeSet<&str> =
                copies.iter().filter_map(|path| Some(paths::split(path)?.0)).collect();
            if directories.len() > 1 {
                let copies = copies.into_iter().map(str::to_owned).collect();
                self.mixed.entry(copies).or_insert_with(|| closure.objects[0].path.clone());
            }
        }
    }

    /// True if the copy was not reached before.
    fn use_copy(&mut self, copy: String, by: &str, how: How) -> bool {
        self.note_user(&copy, by, how);
        self.reached.insert(copy)
    }

    fn note_user(&mut self, copy: &str, by: &str, how: How) {
        let users = self.edges.entry(copy.to_owned()).or_default();
        let needed = User { path: by.to_owned(), how: How::Needed };
        if !users.contains(&needed) {
            users.insert(User { how, ..needed });
        }
    }

    /// Follows everything that is not a dependency, until nothing new is reached.
    pub fn follow_names(&mut self) {
        let mut asked = BTreeSet::new();
        let mut settled = false;
        loop {
            let mut wanted = self.opened();
            wanted.extend(self.preloads());
            if settled {
                wanted.extend(self.by_pieces());
                wanted.extend(self.by_search_path());
            }
            let mut changed = false;
            for (by, target, how) in wanted {
                if !asked.insert((by.clone(), target.clone())) {
                    continue;
                }
                let closures = self.closures(&target);
                let by_source = self.tree.files.get(&by).is_none_or(|file| file.elf.is_none());
                if how == How::Python && by_source && !packages::is_on_request(&by) {
                    let parts = self.parts(&target).into_iter();
                    let parts = parts.filter_map(|part| Some((self.soname(&part)?.to_owned(), part)));
                    let copies = closures.iter().flat_map(|closure| self.copies_in(closure));
                    let copies: Vec<(String, String)> = copies.chain(parts).collect();
                    for package in self.packages.of(self.places, &by) {
                        self.scripted.entry(package).or_default().extend(copies.iter().cloned());
                    }
                    // What it has loaded may meet the needs of others.
                    changed = true;
                }
                if self.use_copy(target, &by, how) {
                    changed = true;
                    closures.iter().for_each(|closure| self.add(closure));
                }
            }
            changed |= self.follow_requirements();
            if !changed && settled {
                break;
            }
            // Code is read, and a search path counts, if nothing else explains a copy.
            settled = !changed;
        }
        // Who loads it says more than who requires it.
        for (copy, users) in &mut self.edges {
            if self.reached.contains(copy) {
                users.retain(|user| user.how != How::Required);
            }
        }
    }

    /// Libraries that an installed package requires by its metadata. True if one is new.
    fn follow_requirements(&mut self) -> bool {
        let mut changed = false;
        for number in 0..self.packages.requirements().len() {
            let (by, package, metadata) = self.packages.requirements()[number];
            // One library of NVIDIA's requires another: that matters if it is used itself.
            let used = |path: &String| {
                self.copy_at(path)
                    .is_some_and(|copy| self.reached.contains(&copy) || self.required.contains(&copy))
            };
            if self.packages.is_library(by) && !self.packages.main_libraries(by).iter().any(used) {
                continue;
            }
            let libraries = self.packages.main_libraries(package).iter();
            for copy in libraries.filter_map(|path| self.copy_at(path)).collect::<Vec<String>>() {
                if !self.required.insert(copy.clone()) {
                    continue;
                }
                changed = true;
                self.note_user(&copy, metadata, How::Required);
                self.closures(&copy).iter().for_each(|closure| self.add(closure));
            }
        }
        changed
    }

    fn soname(&self, copy: &str) -> Option<&str> {
        self.tree.files.get(copy)?.elf.as_ref()?.soname.as_deref()
    }
}

/// Copies of listed libraries, by their first names.
pub fn copies(tree: &Tree, places: &Places) -> BTreeSet<String> {
    let listed = tree.files.iter().filter(|(path, file)| {
        let name = paths::name(path);
        // Committing a container leaves empty files in place of injected libraries.
        library_of(name).is_some() && (file.elf.is_some() || file.bytes == 0) && places.first(path) == *path
    });
    listed.map(|(path, _)| path.clone()).collect()
}
