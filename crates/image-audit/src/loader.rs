//! Which file a soname means, as the image's own loader decides it for one object and its dependencies.
//!
//! Two loaders are known, and the object's own decides: glibc's (`glibc.rs`) and musl's (`musl.rs`).
//! The tree answers; the machine at hand is asked for nothing but its processor's level. Not followed:
//! directories of processors as glibc named them before 2.33, and LD_AUDIT.

mod cache;
mod glibc;
mod musl;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::elf::Elf;
use super::tree::{File, Tree};

use glibc::Glibc;

pub use glibc::loader as glibc_loader;

/// What the environment of the image's programs says to the loader.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    pub library_path: Option<String>,
    /// LD_PRELOAD.
    pub preload: Option<String>,
    /// What an empty or relative search path means.
    pub working_directory: String,
}

pub struct Loader<'a> {
    tree: &'a Tree,
    environment: Environment,
    glibc: Glibc,
    musl: Vec<String>,
    preloaded: Vec<String>,
}

/// An object and all that is loaded with it.
pub struct Closure<'a> {
    pub objects: Vec<Loaded<'a>>,
    pub edges: Vec<Edge>,
    /// Needs that nothing satisfies, by number of the object.
    pub missing: Vec<(usize, String)>,
    /// Names in the order in which they were first asked for.
    pub requests: Vec<(String, Option<usize>)>,
    musl: bool,
    /// So many objects behind the first.
    preloaded: usize,
    /// Which object a name means from now on, and a file is.
    by_name: HashMap<String, usize>,
    by_identity: HashMap<(u64, u64), usize>,
}

pub struct Loaded<'a> {
    /// Real path.
    pub path: String,
    pub elf: &'a Elf,
    /// The path by which it was found: `$ORIGIN` is its directory.
    pub found_as: String,
    loaded_by: Option<usize>,
    /// Names that mean this object from now on.
    names: Vec<String>,
}

/// The first object needs the second.
pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// LD_LIBRARY_PATH or LD_PRELOAD won over this file, which the object's own search path means.
    pub instead_of: Option<String>,
}

/// Where the search for a name ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Not canonical.
    pub path: String,
    pub instead_of: Option<String>,
}

impl<'a> Loader<'a> {
    pub fn new(tree: &'a Tree, environment: Environment) -> Self {
        let of_system = tree.read_text("/etc/ld.so.preload").unwrap_or_default();
        let preloaded = environment.preload.iter().chain([&of_system]);
        let names =
            preloaded.flat_map(|list| list.split([' ', ':', '\n', '\t'])).filter(|name| !name.is_empty());
        let preloaded = names.map(str::to_owned).collect();
        Loader { tree, glibc: Glibc::of(tree), musl: musl::system_path(tree), preloaded, environment }
    }

    /// Names that every program loads first.
    pub fn preloaded(&self) -> &[String] {
        &self.preloaded
    }

    /// e_machine of the image's programs.
    pub fn machine(&self) -> u16 {
        self.glibc.machine
    }

    /// Everything that is loaded with the object at `path`, in the loader's order: breadth first.
    pub fn closure(&self, path: &str) -> Option<Closure<'a>> {
        let mut closure = self.start(path)?;
        // What is preloaded comes before what is needed, and is there for all names.
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

    /// A program names its loader; a library is known by the libc that it needs.
    fn is_musl(&self, elf: &Elf) -> bool {
        match &elf.interpreter {
            Some(interpreter) => interpreter.contains("/ld-musl-"),
            None => {
                elf.needed.iter().any(|name| name.starts_with("libc.musl-"))
                    || !self.glibc.exists && !self.musl.is_empty()
            }
        }
    }

    /// What a program finds that asks for a soname without being linked to anything.
    pub fn by_default(&self, soname: &str) -> Option<String> {
        let machine = self.glibc.machine;
        let directories = self.library_path("/");
        let path = self
            .search(&directories, soname, machine)
            .or_else(|| self.glibc.common(self.tree, machine, soname, true))?;
        self.tree.resolve(&path)
    }

    /// The file that `requester` gets when it asks for a name at run time.
    pub fn dlopen(&self, requester: &str, name: &str) -> Option<String> {
        let mut closure = self.start(requester)?;
        // Its own name may be one that it asks for; what it gets is looked up all the same.
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
        // glibc knows an object by its own soname as well, musl by the name that was asked for alone.
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

    /// The first directory that has a fitting file of that name.
    fn search(&self, directories: &[String], name: &str, machine: u16) -> Option<String> {
        directories.iter().find_map(|directory| self.glibc.in_directory(self.tree, directory, name, machine))
    }

    /// LD_LIBRARY_PATH as directories; `origin` is the main object's.
    fn library_path(&self, origin: &str) -> Vec<String> {
        let Some(path) = &self.environment.library_path else { return Vec::new() };
        if path.is_empty() {
            return Vec::new();
        }
        path.split([':', ';']).map(|path| self.absolute(self.expand(path, origin))).collect()
    }

    /// An empty or relative directory depends on where the program is started.
    fn absolute(&self, path: String) -> String {
        match path.as_str() {
            absolute if absolute.starts_with('/') => path,
            relative => format!("{}/{relative}", self.environment.working_directory.trim_end_matches('/')),
        }
    }

    /// `$ORIGIN`, `$LIB` and `$PLATFORM` put in.
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

    /// Search paths of an object as directories.
    fn directories(&self, object: &Loaded, paths: &[String]) -> Vec<String> {
        paths.iter().map(|path| self.absolute(self.expand(path, object.origin()))).collect()
    }
}

impl Loaded<'_> {
    /// Whether a name means this object.
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

/// What the loader makes of a file that has the right name.
enum Candidate {
    Fits,
    /// Of another machine or class: the search goes on.
    Foreign,
    /// The search ends here, with an error.
    Broken,
}

fn candidate(file: &File, machine: u16) -> Candidate {
    match &file.elf {
        Some(elf) if elf.machine == machine => Candidate::Fits,
        None if file.bytes == 0 => Candidate::Broken,
        _ => Candidate::Foreign,
    }
}
