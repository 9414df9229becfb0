//! Finds the owners of files.
//!
//! A damaged database owns nothing and is reported as unreadable.

use std::collections::{BTreeMap, HashSet};

use super::package::Package;
use super::pip::Distribution;
use super::places::{APK, RPM, is_conda};
use super::{Manager, PackageId, PackageSize, apk, conda, dpkg, rpm};
use crate::coverage::Unreadable;
use crate::paths;
use crate::tree::Tree;

/// Files and their packages.
#[derive(Debug, Default)]
pub struct Ownership {
    /// The owner of each file, by real path.
    pub owners: BTreeMap<String, PackageId>,
    pub packages: Vec<PackageSize>,
    pub unreadable: Vec<Unreadable>,
}

/// Finds the owners of some files. `python` are the installed Python packages.
pub fn owners(tree: &Tree, python: &[Distribution], wanted: &HashSet<String>) -> Ownership {
    let mut search = Search {
        tree,
        wanted,
        names: wanted.iter().map(|path| paths::name(path)).collect(),
        found: Ownership::default(),
        resolved: None,
    };
    dpkg::each(tree, &mut |package| search.offer(Manager::Dpkg, "", &package));
    for path in APK {
        if let Some(text) = tree.read_text(path) {
            apk::packages(&text).iter().for_each(|package| search.offer(Manager::Apk, "", package));
            break;
        }
    }
    for path in RPM {
        match tree.read(path).map(|bytes| rpm::packages(&bytes)) {
            Ok(Ok(packages)) => packages.iter().for_each(|package| search.offer(Manager::Rpm, "", package)),
            Ok(Err(error)) => search.found.unreadable.push(Unreadable::new(path, format!("{error:#}"))),
            // Not an rpm distribution.
            Err(_) => {}
        }
    }
    for path in tree.files.keys().filter(|path| is_conda(path)) {
        let prefix = path.rsplit_once("/conda-meta/").map_or("", |(prefix, _)| prefix);
        match tree.read_text(path).map(|text| conda::package(&text)) {
            Some(Ok(package)) => search.offer(Manager::Conda, prefix, &package),
            Some(Err(error)) => search.found.unreadable.push(Unreadable::new(path, format!("{error:#}"))),
            None => {}
        }
    }
    // Last, because conda and distributions install Python packages too, and own those.
    for Distribution { name, version, site, files, .. } in python {
        search.offer_files(Manager::Pip, site, (name, version), files);
    }
    search.found
}

struct Search<'a> {
    tree: &'a Tree,
    wanted: &'a HashSet<String>,
    names: HashSet<&'a str>,
    found: Ownership,
    /// The last directory in a list of files, and its real path.
    resolved: Option<(String, Option<String>)>,
}

impl<'a> Search<'a> {
    /// Records a package if it owns a wanted file. Relative paths are relative to `place`.
    fn offer(&mut self, manager: Manager, place: &str, package: &Package) {
        self.offer_files(manager, place, (&package.name, &package.version), &package.files);
    }

    fn offer_files(&mut self, manager: Manager, place: &str, of: (&str, &str), listed: &[String]) {
        self.resolved = None;
        let mut hits = Vec::new();
        for file in listed {
            if !self.names.contains(paths::name(file)) {
                continue;
            }
            let real = self.real(place, file);
            let new = |real: &String| self.wanted.contains(real) && !self.found.owners.contains_key(real);
            hits.extend(real.filter(new));
        }
        if hits.is_empty() {
            return;
        }
        let tree: &'a Tree = self.tree;
        let mut seen = HashSet::new();
        let (mut bytes, mut files) = (0, 0);
        for file in listed {
            let Some(file) = self.real(place, file).and_then(|real| tree.files.get(&real)) else { continue };
            if seen.insert(file.identity) {
                bytes += file.bytes;
                files += 1;
            }
        }
        let owner = PackageId { manager, name: of.0.to_owned(), version: of.1.to_owned() };
        self.found.owners.extend(hits.into_iter().map(|file| (file, owner.clone())));
        self.found.packages.push(PackageSize { id: owner, bytes, files });
    }

    /// Resolves the directory, because databases may say `/lib` for `/usr/lib`. A link itself is not
    /// followed: the owner of a development link does not own its target.
    fn real(&mut self, place: &str, file: &str) -> Option<String> {
        let (directory, name) = paths::split(file).unwrap_or(("", file));
        // Databases list the files of a directory one after another.
        if self.resolved.as_ref().is_none_or(|(last, _)| last != directory) {
            let whole = if file.starts_with('/') { directory } else { &format!("{place}/{directory}") };
            self.resolved = Some((directory.to_owned(), self.tree.resolve(whole)));
        }
        let (_, real) = self.resolved.as_ref()?;
        Some(format!("{}/{name}", real.as_ref()?.trim_end_matches('/')))
    }
}
