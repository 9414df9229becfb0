//! The search order of glibc: DT_RPATH of the requester and of the objects that loaded it, unless it has
//! DT_RUNPATH; LD_LIBRARY_PATH; its DT_RUNPATH; the cache; the default directories. In each directory,
//! glibc-hwcaps comes first.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::rc::Rc;

use super::cache::Cache;
use super::closure::{Closure, Found, Loaded};
use super::paths::Paths;
use crate::elf::Elf;
use crate::paths;
use crate::tree::{File, Tree};

/// What a search depends on.
#[derive(Debug)]
pub struct Glibc {
    /// Whether the image has the loader.
    pub exists: bool,
    pub machine: u16,
    defaults: Vec<String>,
    cache: Cache,
    /// Levels of the processor, best first: directories of glibc-hwcaps.
    levels: Vec<&'static str>,
    /// Directories that exist: many of the search paths do not.
    directories: HashSet<String>,
    /// Directories that have a glibc-hwcaps directory.
    with_levels: HashSet<String>,
    /// Memoized results for the cache and the default directories, which are the same for every requester.
    common: RefCell<HashMap<(u16, String), Option<String>>>,
    /// Memoized search paths of objects, without directories that do not exist: TensorFlow has hundreds of those.
    own: RefCell<HashMap<OwnPath, Rc<[String]>>>,
}

/// A list of an object: its address, which the tree keeps, and `$ORIGIN`.
type OwnPath = (usize, String);

/// Debian's default directories, for images without a loader.
#[cfg(target_arch = "x86_64")]
const DEFAULTS: [&str; 4] = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib", "/usr/lib"];
#[cfg(not(target_arch = "x86_64"))]
const DEFAULTS: [&str; 4] = ["/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib", "/usr/lib"];

/// e_machine of this program, for images without a loader.
const MACHINE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };

/// Paths of glibc's loader. An image may be for a different architecture.
const LOADERS: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];

/// The image's glibc loader.
pub fn loader(tree: &Tree) -> Option<&Elf> {
    LOADERS.iter().find_map(|path| tree.file(path)?.1.elf.as_deref())
}

impl Glibc {
    /// `musl_machine` is e_machine of an image without glibc.
    pub fn of(tree: &Tree, musl_machine: Option<u16>) -> Glibc {
        let loader = loader(tree);
        let mut defaults = loader.map(|elf| elf.system_directories.clone()).unwrap_or_default();
        if defaults.is_empty() {
            defaults = DEFAULTS.map(str::to_owned).to_vec();
        }
        let with_levels = tree.files.keys().filter_map(|path| path.split_once("/glibc-hwcaps/"));
        Glibc {
            exists: loader.is_some(),
            machine: loader.map(|elf| elf.machine).or(musl_machine).unwrap_or(MACHINE),
            cache: tree.read("/etc/ld.so.cache").map(|bytes| Cache::parse(&bytes)).unwrap_or_default(),
            levels: levels(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            directories: tree.directories(),
            with_levels: with_levels.map(|(directory, _)| directory.to_owned()).collect(),
            defaults,
            common: RefCell::default(),
            own: RefCell::default(),
        }
    }

    /// The path of the file in a directory that ends the search.
    fn in_directory(&self, tree: &Tree, directory: &str, name: &str, machine: u16) -> Option<String> {
        let directory =
            tree.resolve(directory).filter(|real| self.directories.contains(real)).map(|_| directory)?;
        let directory = directory.trim_end_matches('/');
        let fits = |path: String| {
            let (_, file) = tree.file(&path)?;
            (!matches!(candidate(file, machine), Candidate::Foreign)).then_some(path)
        };
        if !self.with_levels.is_empty()
            && tree.resolve(directory).is_some_and(|real| self.with_levels.contains(&real))
        {
            let level = |level| fits(format!("{directory}/glibc-hwcaps/{level}/{name}"));
            if let Some(path) = self.levels.iter().find_map(level) {
                return Some(path);
            }
        }
        fits(format!("{directory}/{name}"))
    }

    /// The first suitable file of a name in some directories.
    pub fn search(&self, tree: &Tree, directories: &[String], name: &str, machine: u16) -> Option<String> {
        directories.iter().find_map(|directory| self.in_directory(tree, directory, name, machine))
    }

    /// `$LIB`.
    pub fn lib(&self) -> &str {
        self.defaults[0].trim_start_matches('/')
    }

    /// Searches a name for an object of a closure.
    pub fn find(
        &self,
        tree: &Tree,
        paths: &Paths,
        closure: &Closure,
        by: usize,
        name: &str,
    ) -> Option<Found> {
        let requester = &closure.objects[by];
        let machine = requester.elf.machine;
        let found = |path: String| Some(Found { path, instead_of: None });
        if name.contains('/') {
            return found(paths.absolute(paths.expand(name, requester.origin())));
        }
        let runpath = &requester.elf.runpath;
        if runpath.is_empty()
            && let Some(path) = self.search(tree, &self.inherited(tree, paths, closure, by), name, machine)
        {
            return found(path);
        }
        if let Some(path) = self.search(tree, &paths.library_path(closure.objects[0].origin()), name, machine)
        {
            let meant = self.search(tree, &self.own(tree, paths, requester, runpath), name, machine);
            let other = |meant: &String| tree.resolve(meant) != tree.resolve(&path);
            return Some(Found { instead_of: meant.filter(other), path });
        }
        let own = self.search(tree, &self.own(tree, paths, requester, runpath), name, machine);
        own.or_else(|| self.common(tree, machine, name, !requester.elf.no_default_directories))
            .and_then(found)
    }

    /// The directories of one of an object's own lists that exist.
    fn own(&self, tree: &Tree, paths: &Paths, object: &Loaded, list: &[String]) -> Rc<[String]> {
        if list.is_empty() {
            return Rc::default();
        }
        let key = (list.as_ptr().addr(), object.origin().to_owned());
        if let Some(known) = self.own.borrow().get(&key) {
            return known.clone();
        }
        let exists =
            |directory: &String| tree.resolve(directory).is_some_and(|real| self.directories.contains(&real));
        let found: Rc<[String]> = paths.directories(object, list).into_iter().filter(exists).collect();
        self.own.borrow_mut().insert(key, found.clone());
        found
    }

    /// DT_RPATH of an object and of the objects that loaded it, up to the main object.
    fn inherited(&self, tree: &Tree, paths: &Paths, closure: &Closure, by: usize) -> Vec<String> {
        let mut directories = Vec::new();
        let mut link = Some(by);
        while let Some(number) = link {
            let object = &closure.objects[number];
            if object.elf.runpath.is_empty() {
                directories.extend(self.own(tree, paths, object, &object.elf.rpath).iter().cloned());
            }
            link = object.loaded_by;
        }
        directories
    }

    /// Searches the cache and, unless `defaults` is false, the default directories.
    pub fn common(&self, tree: &Tree, machine: u16, name: &str, defaults: bool) -> Option<String> {
        let key = (machine, name.to_owned());
        if let Some(known) = self.common.borrow().get(&key).filter(|_| defaults) {
            return known.clone();
        }
        let is_default = |path: &str| {
            paths::split(path)
                .is_some_and(|(directory, _)| self.defaults.iter().any(|known| known == directory))
        };
        let fits = |path: &&str| {
            tree.file(path).is_some_and(|(_, file)| !matches!(candidate(file, machine), Candidate::Foreign))
        };
        let cached =
            self.cache.find(name, &self.levels).filter(|path| defaults || !is_default(path)).filter(fits);
        let found = match cached {
            Some(path) => Some(path.to_owned()),
            None if defaults => {
                self.defaults.iter().find_map(|directory| self.in_directory(tree, directory, name, machine))
            }
            None => None,
        };
        if defaults {
            self.common.borrow_mut().insert(key, found.clone());
        }
        found
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

/// x86-64 levels of a processor, from the flags in /proc/cpuinfo.
fn levels(cpuinfo: &str) -> Vec<&'static str> {
    const NEEDED: [(&str, &[&str]); 3] = [
        ("x86-64-v2", &["cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"]),
        ("x86-64-v3", &["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"]),
        ("x86-64-v4", &["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]),
    ];
    let flags: HashSet<&str> = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("flags"))
        .map(|line| line.split_whitespace().collect())
        .unwrap_or_default();
    let mut levels: Vec<&str> = NEEDED
        .iter()
        .take_while(|(_, needed)| needed.iter().all(|flag| flags.contains(flag)))
        .map(|(level, _)| *level)
        .collect();
    levels.reverse();
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_processors() {
        let v2 = "cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3";
        let v3 = "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave";
        assert_eq!(levels(&format!("flags\t\t: fpu {v2} {v3}\n")), ["x86-64-v3", "x86-64-v2"]);
        assert_eq!(levels(&format!("flags\t\t: {v3}\n")), Vec::<&str>::new());
        assert_eq!(levels(""), Vec::<&str>::new());
    }
}
