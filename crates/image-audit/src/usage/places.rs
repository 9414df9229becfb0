//! All names of a file. A file with several hard links, or with symbolic links from other directories, is one
//! file; what it loads depends on the name by which it is loaded.

use std::collections::{HashMap, HashSet};

use crate::catalogue::{library_of, tool_of};
use crate::leftovers::{is_cache, is_cached};
use crate::paths::{directory, name};
use crate::tree::{File, Tree};

/// The names of programs, libraries, tools and Python sources.
#[derive(Debug, Default)]
pub struct Places {
    /// Further hard links, with the first.
    twins: HashMap<String, String>,
    /// The hard links of each first name, without itself.
    hard: HashMap<String, Vec<String>>,
    /// Symbolic links to each file, sorted.
    links: HashMap<String, Vec<String>>,
    /// Where each file is loaded, if not only at its first name: nowhere, if it is in a cache alone.
    loaded: HashMap<String, Vec<String>>,
}

impl Places {
    pub fn new(tree: &Tree) -> Places {
        let sources: HashSet<&str> = tree.python.iter().map(|(path, _)| path.as_str()).collect();
        let counts = |path: &str, file: &File| {
            file.elf.is_some()
                || library_of(name(path)).is_some()
                || sources.contains(path)
                || tool_of(path).is_some()
        };
        let mut places = Places::default();
        let mut seen: HashMap<(u64, u64), &str> = HashMap::new();
        let (installed, caches): (Vec<_>, Vec<_>) = tree
            .files
            .iter()
            .filter(|(path, file)| counts(path, file))
            .partition(|(path, _)| !is_cache(path));
        for (path, file) in installed.into_iter().chain(caches) {
            match seen.get(&file.identity) {
                Some(first) => {
                    places.twins.insert(path.clone(), (*first).to_owned());
                    places.hard.entry((*first).to_owned()).or_default().push(path.clone());
                }
                None => drop(seen.insert(file.identity, path)),
            }
        }
        let known = |real: &str| tree.files.get(real).is_some_and(|file| counts(real, file));
        for (link, real) in tree.links_to(known) {
            let first = places.twins.get(&real).unwrap_or(&real).clone();
            places.links.entry(first).or_default().push(link);
        }
        places.links.values_mut().for_each(|links| links.sort());
        let several: HashSet<&String> = places.hard.keys().chain(places.links.keys()).collect();
        let loaded = several.into_iter().filter_map(|first| {
            let names = places.loaded_at(tree, first);
            (names != [first.as_str()]).then(|| (first.clone(), names))
        });
        let mut loaded: HashMap<String, Vec<String>> = loaded.collect();
        // uv runs scripts from virtual environments in its cache.
        let environments: Vec<&str> = tree
            .files
            .keys()
            .filter_map(|path| path.strip_suffix("pyvenv.cfg"))
            .filter(|path| path.ends_with('/'))
            .collect();
        let runs = |path: &str| environments.iter().any(|home| path.starts_with(home));
        let cached =
            tree.files.iter().filter(|(path, file)| counts(path, file) && is_cached(path) && !runs(path));
        for (path, _) in cached.filter(|(path, _)| places.first(path) == *path) {
            loaded.entry(path.clone()).or_default();
        }
        places.loaded = loaded;
        places
    }

    /// One name for each directory, except in caches that an installation links into.
    fn loaded_at(&self, tree: &Tree, first: &str) -> Vec<String> {
        let none = Vec::new();
        let hard = self.hard.get(first).unwrap_or(&none).iter();
        let links = self.links.get(first).unwrap_or(&none).iter();
        let mut seen = HashSet::new();
        let mut names: Vec<String> = [first]
            .into_iter()
            .chain(hard.chain(links).map(String::as_str))
            .filter(|name| seen.insert(tree.resolve(directory(name))))
            .map(str::to_owned)
            .collect();
        if names.iter().any(|name| !is_cache(name)) {
            names.retain(|name| !is_cache(name));
        }
        names.retain(|name| !is_cached(name));
        names
    }

    /// The first name of a file.
    pub fn first<'p>(&'p self, path: &'p str) -> &'p str {
        self.twins.get(path).map_or(path, String::as_str)
    }

    /// Further hard links of a file.
    pub fn hard_links(&self, first: &str) -> &[String] {
        self.hard.get(first).map_or(&[], Vec::as_slice)
    }

    /// Symbolic links to a file.
    pub fn links(&self, first: &str) -> &[String] {
        self.links.get(first).map_or(&[], Vec::as_slice)
    }

    /// The names at which a file is loaded, one for each directory. None if it is in a cache alone.
    pub fn loaded<'p>(&'p self, path: &'p str) -> Vec<&'p str> {
        match self.loaded.get(self.first(path)) {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => vec![self.first(path)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Elf;

    fn tree(files: &[(&str, u64)], links: &[(&str, &str)]) -> Tree {
        let file = |(path, inode): &(&str, u64)| {
            let elf = Some(Box::new(Elf::default()));
            (path.to_string(), File { bytes: 1, identity: (0, *inode), elf })
        };
        Tree::with(files.iter().map(file), links.iter().map(|(from, to)| (from.to_string(), to.to_string())))
    }

    const CACHE: &str = "/root/.cache/uv/archive-v0/a/x.so";

    #[test]
    fn a_cache_that_is_linked_into_is_no_place() {
        let site = "/venv/lib/python3.12/site-packages/x.so";
        let hard = Places::new(&tree(&[(CACHE, 1), (site, 1)], &[]));
        assert_eq!((hard.first(CACHE), hard.first(site)), (site, site));
        assert_eq!(hard.hard_links(site), [CACHE]);
        assert_eq!(hard.loaded(CACHE), [site]);
        let symbolic = Places::new(&tree(&[(CACHE, 1)], &[(site, CACHE)]));
        assert_eq!(symbolic.first(CACHE), CACHE, "the only regular file");
        assert_eq!(symbolic.links(CACHE), [site]);
        assert_eq!(symbolic.loaded(CACHE), [site]);
        let alone = Places::new(&tree(&[(CACHE, 1)], &[]));
        assert_eq!(alone.loaded(CACHE), Vec::<&str>::new(), "no program loads it from there");
        // This may be anything.
        let directory = "/app/pkgs/x.so";
        assert_eq!(Places::new(&tree(&[(directory, 1)], &[])).loaded(directory), [directory]);
    }

    #[test]
    fn links_in_the_same_directory_are_no_other_place() {
        let links = [("/lib", "/usr/lib"), ("/usr/lib/x.so", "x.so.1"), ("/opt/x.so", "/lib/x.so")];
        let places = Places::new(&tree(&[("/usr/lib/x.so.1", 1)], &links));
        assert_eq!(places.links("/usr/lib/x.so.1"), ["/opt/x.so", "/usr/lib/x.so"]);
        assert_eq!(places.loaded("/usr/lib/x.so.1"), ["/usr/lib/x.so.1", "/opt/x.so"]);
    }
}
