//! Resolves sonames like the loader of the image, glibc's or musl's.
//!
//! The result depends on the image alone, except for the level of this machine's processor, such as
//! x86-64-v3. Not supported: hwcaps directories of glibc before 2.33, and LD_AUDIT.

pub(crate) mod cache;
mod closure;
mod glibc;
mod musl;
mod paths;

use std::collections::{HashMap, HashSet};

use crate::elf::Elf;
use crate::tree::Tree;

use closure::Found;
use glibc::Glibc;
use paths::Paths;

pub use closure::{Closure, Edge, Loaded, Resolution};
pub(crate) use glibc::loader as glibc_loader;
pub use paths::Environment;

/// Emulates the loader of an image.
#[derive(Debug)]
pub struct Loader<'a> {
    tree: &'a Tree,
    paths: Paths,
    glibc: Glibc,
    musl: Vec<String>,
    preloaded: Vec<String>,
}

impl<'a> Loader<'a> {
    /// A loader for the programs of an image.
    pub fn new(tree: &'a Tree, environment: Environment) -> Self {
        let of_system = tree.read_text("/etc/ld.so.preload").unwrap_or_default();
        let preloaded = environment.preload.iter().chain([&of_system]);
        let names =
            preloaded.flat_map(|list| list.split([' ', ':', '\n', '\t'])).filter(|name| !name.is_empty());
        let preloaded = names.map(str::to_owned).collect();
        let glibc = Glibc::of(tree, musl::machine(tree));
        let paths = Paths { environment, lib: glibc.lib().to_owned() };
        Loader { tree, paths, glibc, musl: musl::system_path(tree), preloaded }
    }

    /// Names that every program preloads.
    pub fn preloaded(&self) -> &[String] {
        &self.preloaded
    }

    /// e_machine of the image's programs.
    pub fn machine(&self) -> u16 {
        self.glibc.machine
    }

    /// Everything that is loaded with the object at `path`, in the order of the loader. None if there is no
    /// such object.
    pub fn closure(&self, path: &str) -> Option<Closure<'a>> {
        let mut closure = self.start(path)?;
        // Preloaded objects come first and satisfy later requests.
        for name in &self.preloaded {
            if let Some((to, _)) = self.load(&mut closure, 0, name) {
                closure.requests.push((name.clone(), Some(to)));
            }
        }
        closure.preloaded = closure.objects.len() - 1;
        let mut asked: HashSet<&str> = self.preloaded.iter().map(String::as_str).collect();
        let mut next = 0;
        while next < closure.objects.len() {
            for name in &closure.objects[next].elf.needed {
                let known = !asked.insert(name.as_str());
                let loaded = self.load(&mut closure, next, name);
                match loaded {
                    Some((to, instead_of)) => closure.edges.push(Edge { from: next, to, instead_of }),
                    None => closure.missing.push((next, name.clone())),
                }
                if !known {
                    closure.requests.push((name.clone(), closure.by_name.get(name).copied()));
                }
            }
            next += 1;
        }
        Some(closure)
    }

    fn start(&self, path: &str) -> Option<Closure<'a>> {
        let (real, file) = self.tree.file(path)?;
        let elf = file.elf.as_deref()?;
        let names = elf.soname.iter().cloned().collect();
        let first = Loaded { path: real, elf, found_as: path.to_owned(), loaded_by: None, names };
        Some(Closure {
            musl: self.is_musl(elf),
            objects: vec![first],
            edges: Vec::new(),
            missing: Vec::new(),
            requests: Vec::new(),
            preloaded: 0,
            by_name: elf.soname.iter().map(|name| (name.clone(), 0)).collect(),
            by_identity: HashMap::from([(file.identity, 0)]),
        })
    }

    /// A program names its loader; a library is classified by its libc.
    fn is_musl(&self, elf: &Elf) -> bool {
        match &elf.interpreter {
            Some(interpreter) => interpreter.contains("/ld-musl-"),
            None => {
                elf.needed.iter().any(|name| name.starts_with("libc.musl-"))
                    || !self.glibc.exists && !self.musl.is_empty()
            }
        }
    }

    /// The real path that a program without dependencies gets for a soname.
    pub fn by_default(&self, soname: &str) -> Option<String> {
        let machine = self.glibc.machine;
        let directories = self.paths.library_path("/");
        let path = self
            .glibc
            .search(self.tree, &directories, soname, machine)
            .or_else(|| self.glibc.common(self.tree, machine, soname, true))?;
        self.tree.resolve(&path)
    }

    /// The object that a program without dependencies gets for a soname.
    pub(crate) fn object_by_default(&self, soname: &str) -> Option<&'a Elf> {
        self.tree.files.get(&self.by_default(soname)?)?.elf.as_deref()
    }

    /// The directories of an object's own search path, links followed.
    pub fn search_path(&self, path: &str) -> Vec<String> {
        let Some(closure) = self.start(path) else { return Vec::new() };
        let object = &closure.objects[0];
        let own = if object.elf.runpath.is_empty() { &object.elf.rpath } else { &object.elf.runpath };
        let directories = self.paths.directories(object, own);
        directories.iter().filter_map(|directory| self.tree.resolve(directory)).collect()
    }

    /// The real path that an object gets from dlopen by the DT_RPATH of the objects that loaded it. None without one.
    pub fn dlopen_by_inheritance(&self, closure: &Closure<'a>, by: usize, name: &str) -> Option<String> {
        let object = &closure.objects[by];
        let mut loaders =
            std::iter::successors(object.loaded_by, |number| closure.objects[*number].loaded_by);
        let inherits = object.elf.runpath.is_empty()
            && loaders.any(|number| {
                let elf = closure.objects[number].elf;
                elf.runpath.is_empty() && !elf.rpath.is_empty()
            });
        let found = if inherits { self.find(closure, by, name) } else { None };
        self.tree.file(&found?.path).map(|(path, _)| path)
    }

    /// The real path that `requester` gets from dlopen.
    pub fn dlopen(&self, requester: &str, name: &str) -> Option<String> {
        let mut closure = self.start(requester)?;
        // It may ask for its own name.
        closure.by_name.clear();
        let (number, _) = self.load(&mut closure, 0, name)?;
        Some(closure.objects[number].path.clone())
    }

    fn load(&self, closure: &mut Closure<'a>, by: usize, name: &str) -> Option<(usize, Option<String>)> {
        if let Some(known) = closure.by_name.get(name).copied() {
            let preloaded = (1..=closure.preloaded).contains(&known);
            let meant = preloaded.then(|| self.find(closure, by, name)).flatten().map(|found| found.path);
            let other = |meant: &String| {
                self.tree.file(meant).is_some_and(|(path, _)| path != closure.objects[known].path)
            };
            return Some((known, meant.filter(other)));
        }
        let found = self.find(closure, by, name)?;
        let (path, file) = self.tree.file(&found.path)?;
        let elf = file.elf.as_deref()?;
        if let Some(known) = closure.by_identity.get(&file.identity).copied() {
            closure.objects[known].names.push(name.to_owned());
            closure.by_name.insert(name.to_owned(), known);
            return Some((known, found.instead_of));
        }
        // musl knows an object only by the requested name, glibc by its soname as well.
        let soname = elf.soname.iter().filter(|_| !closure.musl).cloned();
        let names: Vec<String> = soname.chain([name.to_owned()]).collect();
        let number = closure.objects.len();
        for name in &names {
            closure.by_name.entry(name.clone()).or_insert(number);
        }
        closure.by_identity.insert(file.identity, number);
        closure.objects.push(Loaded { path, elf, found_as: found.path, loaded_by: Some(by), names });
        Some((number, found.instead_of))
    }

    fn find(&self, closure: &Closure<'a>, by: usize, name: &str) -> Option<Found> {
        if closure.musl {
            musl::find(&self.musl, &self.glibc, self.tree, &self.paths, closure, by, name)
        } else {
            self.glibc.find(self.tree, &self.paths, closure, by, name)
        }
    }
}
