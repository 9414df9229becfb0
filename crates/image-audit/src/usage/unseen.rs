//! What is opened by names that cannot be seen, because a program composes them.
//!
//! Two things give it away: a search path into a directory of CUDA libraries that nothing else explains, and pieces of
//! the names in code. Code is only searched for copies that would otherwise have no user and that the loader finds
//! without a search path.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use super::Users;
use crate::catalogue::library_of;
use crate::census::{How, User};
use crate::paths::{self, directory as home, stem};
use crate::strings::is_piece_of;
use crate::threads::workers;

/// What was found so far: it does not depend on what is reached.
#[derive(Debug, Default)]
pub struct Unseen {
    /// Pieces of names in the code of objects that import dlopen.
    pieces: Option<BTreeMap<String, Vec<String>>>,
}

/// An object that imports dlopen, with the directories of its search paths.
type Searching<'t> = (&'t String, BTreeSet<String>);
/// The packages of an object, or its directory.
type Program = (BTreeSet<usize>, String);

/// Packages and directories of objects that are seen to load copies.
#[derive(Debug, Default)]
struct Visible {
    packages: BTreeSet<usize>,
    homes: BTreeSet<String>,
}

impl Visible {
    fn includes(&self, users: &Users, path: &str) -> bool {
        self.homes.contains(home(path)) || !self.packages.is_disjoint(&users.packages.of(users.places, path))
    }
}

/// The container runtime mounts the driver's libraries.
fn is_of_driver(copy: &str) -> bool {
    library_of(paths::name(copy)).is_some_and(|library| library.driver)
}

impl Users<'_> {
    /// A package that is linked to CUDA libraries has its search paths for that. If nothing of it can be seen to
    /// load any, it has them for names that it composes. Each of its objects may open what is in its own directories;
    /// the one with the most of them also opens what the others' paths mean, wherever it finds that. (TensorFlow 2.21
    /// opens cuSOLVER from an object without a path to it.)
    pub fn by_search_path(&self) -> Vec<(String, String, How)> {
        let homes: BTreeSet<&str> = self.copies.iter().flat_map(|copy| self.homes(copy)).collect();
        let mut composing: BTreeMap<Program, Vec<Searching>> = BTreeMap::new();
        let mut visible = None;
        for (path, mut directories) in self.search_paths() {
            directories.retain(|directory| homes.contains(directory.as_str()));
            if directories.is_empty()
                || visible.get_or_insert_with(|| self.visible_users()).includes(self, path)
            {
                continue;
            }
            let packages = self.packages.of(self.places, path);
            let place = if packages.is_empty() { home(path).to_owned() } else { String::new() };
            composing.entry((packages, place)).or_default().push((path, directories));
        }
        let mut found = Vec::new();
        for objects in composing.into_values() {
            let meant: BTreeSet<&str> = objects
                .iter()
                .flat_map(|(_, directories)| directories)
                .flat_map(|directory| self.in_directory(directory, ""))
                .filter_map(|copy| self.copies.get(&copy))
                .map(|copy| stem(copy))
                .collect();
            let most = objects.iter().map(|(_, directories)| directories.len()).max().unwrap_or(0);
            for (path, directories) in &objects {
                let opens = |copy: &&String| {
                    let own = self.homes(copy).any(|home| directories.contains(home));
                    (own || directories.len() == most && meant.contains(stem(copy)))
                        && self.places.loaded(path).iter().any(|name| self.would_open(name, copy))
                };
                let copies = self.copies.iter().filter(|copy| !is_of_driver(copy)).filter(opens);
                found.extend(copies.map(|copy| ((*path).clone(), copy.clone(), How::SearchPath)));
            }
        }
        found
    }

    /// The directories in which a copy is loaded.
    fn homes<'p>(&'p self, copy: &'p str) -> impl Iterator<Item = &'p str> {
        self.places.loaded(copy).into_iter().filter_map(|name| Some(paths::split(name)?.0))
    }

    /// The object whose search path leads to a copy, so that it gets it if it asks for it.
    /// With its own directory, unless every program finds the copy there, or the object is seen to load copies: then
    /// its search path is for those.
    pub fn searched_by(&self, copy: &str) -> Option<String> {
        let default = self.soname(copy).and_then(|soname| self.loader.by_default(soname));
        let for_all = default.is_some_and(|path| self.places.first(&path) == copy);
        let searches = |(path, directories): &Searching| {
            let own = self.places.loaded(path);
            let beside = |place: &str| {
                !for_all && own.iter().any(|name| home(name) == place) && !self.is_seen_to_load(path)
            };
            self.homes(copy).any(|place| directories.contains(place) || beside(place))
                && self.places.loaded(path).iter().any(|name| self.would_open(name, copy))
        };
        self.search_paths().find(searches).map(|(path, _)| path.clone())
    }

    /// Objects that import dlopen and are no copies, with the directories of their search paths except their own.
    fn search_paths(&self) -> impl Iterator<Item = (&String, BTreeSet<String>)> {
        let objects = self.tree.files.iter().filter(|(path, file)| {
            let searches = file.elf.as_ref().is_some_and(|elf| elf.imports_dlopen && elf.has_search_path());
            searches && self.places.first(path) == *path && self.copy(path).is_none()
        });
        objects.map(|(path, _)| {
            let names = self.places.loaded(path);
            let own: Vec<Option<String>> =
                names.iter().map(|name| self.tree.resolve(paths::split(name)?.0)).collect();
            let directories = names.iter().flat_map(|name| self.loader.search_path(name));
            (path, directories.filter(|directory| !own.contains(&Some(directory.clone()))).collect())
        })
    }

    fn is_seen_to_load(&self, path: &str) -> bool {
        let seen = |user: &User| user.path == path && matches!(user.how, How::Needed | How::Dlopen);
        self.edges.values().flatten().any(seen)
    }

    fn visible_users(&self) -> Visible {
        let users = self.edges.values().flatten();
        let seen = users.filter(|user| matches!(user.how, How::Needed | How::Dlopen));
        let mut visible = Visible::default();
        for User { path, .. } in seen {
            if visible.homes.insert(home(path).to_owned()) {
                visible.packages.extend(self.packages.of(self.places, path));
            }
        }
        visible
    }

    /// Whether an object gets a copy if it asks for its soname.
    fn would_open(&self, by: &str, copy: &str) -> bool {
        let found = self.soname(copy).and_then(|soname| self.loader.dlopen(by, soname));
        found.is_some_and(|path| self.places.first(&path) == copy)
    }

    /// Who opens which copy, by pieces of its name in code.
    pub fn by_pieces(&mut self) -> Vec<(String, String, How)> {
        let unused = self.copies.iter().filter(|copy| !self.reached.contains(*copy) && !is_of_driver(copy));
        let found_by_all: Vec<String> = unused
            .filter(|copy| {
                let found = self.soname(copy).and_then(|soname| self.loader.by_default(soname));
                found.is_some_and(|path| self.places.first(&path) == *copy)
            })
            .cloned()
            .collect();
        if found_by_all.is_empty() {
            return Vec::new();
        }
        let pieces = self.unseen.pieces.take().unwrap_or_else(|| self.search_code());
        let mut found = Vec::new();
        for (path, pieces) in &pieces {
            for copy in &found_by_all {
                if pieces.iter().any(|piece| is_piece_of(piece, stem(copy))) && self.would_open(path, copy) {
                    found.push((path.clone(), copy.clone(), How::Pieces));
                }
            }
        }
        self.unseen.pieces = Some(pieces);
        found
    }

    /// Pieces of names in the code of all objects that are no copies. Reading them takes most of the time.
    fn search_code(&self) -> BTreeMap<String, Vec<String>> {
        let objects =
            self.tree.files.iter().filter(|(_, file)| file.elf.as_ref().is_some_and(|elf| elf.dynamic));
        let roots = objects
            .map(|(path, _)| path)
            .filter(|path| self.places.first(path) == *path && self.copy(path).is_none());
        let roots: Vec<&String> = roots.collect();
        let (tree, next) = (self.tree, AtomicUsize::new(0));
        let search = || {
            let mut found = Vec::new();
            while let Some(path) = roots.get(next.fetch_add(1, Relaxed)) {
                let pieces = tree.pieces(path);
                if !pieces.is_empty() {
                    found.push(((*path).clone(), pieces));
                }
            }
            found
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..workers())
                .filter_map(|_| thread::Builder::new().spawn_scoped(scope, search).ok())
                .collect();
            let own = search();
            let others = others.into_iter().flat_map(|other| other.join().expect("searching does not panic"));
            others.chain(own).collect()
        })
    }
}
