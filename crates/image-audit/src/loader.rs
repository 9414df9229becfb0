//! Resolves sonames like the loader of the image, glibc's or musl's.
//!
//! Nothing of this machine is used but the level of its processor (x86-64-v3, for example). Not supported: hwcaps
//! directories of glibc before 2.33, and LD_AUDIT.

pub(crate) mod cache;
mod glibc;
mod ldd;
mod musl;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::elf::Elf;
use crate::tree::{File, Tree};

use glibc::Glibc;

pub(crate) use glibc::loader as glibc_loader;
pub use ldd::Resolution;
pub(crate) use ldd::resolve;

/// The environment of the image's programs, as far as the loader uses it.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// LD_LIBRARY_PATH.
    pub library_path: Option<String>,
    /// LD_PRELOAD.
    pub preload: Option<String>,
    /// The directory that relative search paths start from.
    pub working_directory: String,
}

/// Emulates the loader of an image.
#[derive(Debug)]
pub struct Loader<'a> {
    tree: &'a Tree,
    environment: Environment,
    glibc: Glibc,
    musl: Vec<String>,
    preloaded: Vec<String>,
}

/// An object and everything that is loaded with it.
#[derive(Debug)]
pub struct Closure<'a> {
    /// In the order of loading; the first is the object itself.
    pub objects: Vec<Loaded<'a>>,
    /// Which object needs which.
    pub edges: Vec<Edge>,
    /// Dependencies that were not found, with the index of the object.
    pub missing: Vec<(usize, String)>,
    /// Names in the order of the first request, with the index of the object that was found.
    pub requests: Vec<(String, Option<usize>)>,
    musl: bool,
    /// Number of preloaded objects, which follow the first.
    preloaded: usize,
    /// Loaded objects by name, and by device and inode.
    by_name: HashMap<String, usize>,
    by_identity: HashMap<(u64, u64), usize>,
}

/// A loaded object.
#[derive(Debug)]
pub struct Loaded<'a> {
    /// Real path.
    pub path: String,
    /// Its ELF file.
    pub elf: &'a Elf,
    /// The path where it was found; `$ORIGIN` is its directory.
    pub found_as: String,
    loaded_by: Option<usize>,
    /// Names that refer to this object.
    names: Vec<String>,
}

/// A dependency between two objects of a [`Closure`].
#[derive(Debug)]
pub struct Edge {
    /// Index of the object that needs the other.
    pub from: usize,
    /// Index of the object that it needs.
    pub to: usize,
    /// The file that the object's own search path leads to, if LD_LIBRARY_PATH or LD_PRELOAD overrides it.
    pub instead_of: Option<String>,
}

/// The result of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    /// Links not followed.
    path: String,
    instead_of: Option<String>,
}

impl<'a> Loader<'a> {
    /// A loader for the programs of an image.
    pub fn new(tree: &'a Tree, environment: Environment) -> Self {
        let of_system = tree.read_text("/etc/ld.so.preload").unwrap_or_default();
        let preloaded = environment.preload.iter().chain([&of_system]);
        let names =
            preloaded.flat_map(|list| list.split([' ', ':', '\n', '\t'])).filter(|name| !name.is_empty());
        let preloaded = names.map(str::to_owned).collect();
        Loader { tree, glibc: Glibc::of(tree), musl: musl::system_path(tree), preloaded, environment }
    }

    /// Names that every program preloads.
    pub fn preloaded(&self) -> &[String] {
        &self.preloaded
    }

    /// e_machine of the image's programs.
    pub fn machine(&self) -> u16 {
        self.glibc.machine
    }

    /// Everything that is loaded with the object at `path`, in the order of the loader. None if there is no such
    /// object.
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
        let directories = self.library_path("/");
        let path = self
            .search(&directories, soname, machine)
            .or_else(|| self.glibc.common(self.tree, machine, soname, true))?;
        self.tree.resolve(&path)
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
        if closure.musl { self.find_musl(closure, by, name) } else { self.find_glibc(closure, by, name) }
    }

    /// The first suitable file of a name in some directories.
    fn search(&self, directories: &[String], name: &str, machine: u16) -> Option<String> {
        directories.iter().find_map(|directory| self.glibc.in_directory(self.tree, directory, name, machine))
    }

    /// The directories of LD_LIBRARY_PATH; `origin` is that of the main object.
    fn library_path(&self, origin: &str) -> Vec<String> {
        let Some(path) = &self.environment.library_path else { return Vec::new() };
        if path.is_empty() {
            return Vec::new();
        }
        path.split([':', ';']).map(|path| self.absolute(self.expand(path, origin))).collect()
    }

    /// Relative and empty directories are relative to the working directory.
    fn absolute(&self, path: String) -> String {
        match path.as_str() {
            absolute if absolute.starts_with('/') => path,
            relative => format!("{}/{relative}", self.environment.working_directory.trim_end_matches('/')),
        }
    }

    /// Expands `$ORIGIN`, `$LIB` and `$PLATFORM`.
    fn expand(&self, path: &str, origin: &str) -> String {
        let mut path = Cow::Borrowed(path);
        for (name, value) in
            [("ORIGIN", origin), ("LIB", &self.glibc.lib), ("PLATFORM", std::env::consts::ARCH)]
        {
            if path.contains('$') {
                let put = path.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
                path = put.into();
            }
        }
        path.into_owned()
    }

    /// The directories of an object's search paths.
    fn directories(&self, object: &Loaded, paths: &[String]) -> Vec<String> {
        paths.iter().map(|path| self.absolute(self.expand(path, object.origin()))).collect()
    }
}

impl Loaded<'_> {
    /// Whether a name refers to this object.
    pub fn answers_to(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    fn origin(&self) -> &str {
        match self.found_as.rsplit_once('/') {
            Some(("", _)) => "/",
            Some((directory, _)) => directory,
            None => "",
        }
    }
}

/// What the loader does with a file of the right name.
enum Candidate {
    /// Takes it.
    Fits,
    /// Skips it: it is for another machine or class.
    Foreign,
    /// Fails.
    Broken,
}

fn candidate(file: &File, machine: u16) -> Candidate {
    match &file.elf {
        Some(elf) if elf.machine == machine => Candidate::Fits,
        None if file.bytes == 0 => Candidate::Broken,
        _ => Candidate::Foreign,
    }
}
