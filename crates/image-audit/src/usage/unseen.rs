//! What is opened by names that cannot be seen, because a program composes them.
//!
//! Two things give it away: a search path into a directory of CUDA libraries that nothing else explains, and pieces of
//! the names in code. Code is only searched for copies that would otherwise have no user and that the loader finds
//! without a search path.

use std::collections::{BTreeMap, BTreeSet};

use super::Users;
use crate::catalogue::library_of;
use crate::census::{How, User};
use crate::strings::is_piece_of;

/// What was found so far: it does not depend on what is reached.
#[derive(Debug, Default)]
pub struct Unseen {
    /// Pieces of names in the code of objects that import dlopen.
    pieces: Option<BTreeMap<String, Vec<String>>>,
}

impl Users<'_> {
    /// Who opens which copy.
    pub fn unseen(&mut self) -> Vec<(String, String, How)> {
        let mut found = self.by_search_path();
        found.extend(self.by_pieces());
        found
    }

    /// A package that is linked to CUDA libraries has its search paths for that. If nothing of it can be seen to
    /// load any, it has them for names that it composes.
    fn by_search_path(&self) -> Vec<(String, String, How)> {
        let mut found = Vec::new();
        for (path, directories) in self.search_paths() {
            let copies = || directories.iter().flat_map(|directory| self.in_directory(directory, ""));
            if copies().next().is_none() || self.loads_visibly(path) {
                continue;
            }
            let gets =
                |copy: &String| self.places.loaded(path).iter().any(|name| self.would_open(name, copy));
            found.extend(copies().filter(gets).map(|copy| (path.clone(), copy, How::SearchPath)));
        }
        found
    }

    /// The object whose search path leads to a copy, so that it gets it if it asks for it.
    pub fn searched_by(&self, copy: &str) -> Option<String> {
        let searches = |(path, directories): &(&String, BTreeSet<String>)| {
            let inside =
                |name: &str| name.rsplit_once('/').is_some_and(|(home, _)| directories.contains(home));
            self.places.loaded(copy).into_iter().any(inside)
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
                names.iter().map(|name| self.tree.resolve(name.rsplit_once('/')?.0)).collect();
            let directories = names.iter().flat_map(|name| self.loader.search_path(name));
            (path, directories.filter(|directory| !own.contains(&Some(directory.clone()))).collect())
        })
    }

    /// Whether an object of the same package or directory is seen to load a copy.
    fn loads_visibly(&self, path: &str) -> bool {
        let packages = self.packages.of(self.places, path);
        let home = path.rsplit_once('/').map_or("", |(home, _)| home);
        let same = |user: &User| {
            matches!(user.how, How::Needed | How::Dlopen)
                && (user.path.rsplit_once('/').map_or("", |(other, _)| other) == home
                    || !packages.is_disjoint(&self.packages.of(self.places, &user.path)))
        };
        self.edges.values().any(|users| users.iter().any(same))
    }

    /// Whether an object gets a copy if it asks for its soname.
    fn would_open(&self, by: &str, copy: &str) -> bool {
        let found = self.soname(copy).and_then(|soname| self.loader.dlopen(by, soname));
        found.is_some_and(|path| self.places.first(&path) == copy)
    }

    fn by_pieces(&mut self) -> Vec<(String, String, How)> {
        // The container runtime mounts the driver's libraries.
        let of_driver = |copy: &str| {
            library_of(copy.rsplit('/').next().unwrap_or(copy)).is_some_and(|library| library.driver)
        };
        let unused = self.copies.iter().filter(|copy| !self.reached.contains(*copy) && !of_driver(copy));
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
                let name = copy.rsplit('/').next().unwrap_or(copy);
                let stem = name.split(".so").next().unwrap_or(name);
                if pieces.iter().any(|piece| is_piece_of(piece, stem)) && self.would_open(path, copy) {
                    found.push((path.clone(), copy.clone(), How::Pieces));
                }
            }
        }
        self.unseen.pieces = Some(pieces);
        found
    }

    /// Pieces of names in the code of all objects that are no copies.
    fn search_code(&self) -> BTreeMap<String, Vec<String>> {
        let objects =
            self.tree.files.iter().filter(|(_, file)| file.elf.as_ref().is_some_and(|elf| elf.dynamic));
        let roots = objects
            .map(|(path, _)| path)
            .filter(|path| self.places.first(path) == *path && self.copy(path).is_none());
        roots
            .map(|path| (path.clone(), self.tree.pieces(path)))
            .filter(|(_, pieces)| !pieces.is_empty())
            .collect()
    }
}
