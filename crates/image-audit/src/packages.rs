//! Who owns a file: the databases of dpkg, apk, rpm, conda, and Python distributions.
//!
//! Each database has a parser of its own; here their files are found in the tree and their packages
//! asked for the files that somebody wants to know about. A damaged database owns nothing, and is
//! named among what could not be read.

mod apk;
mod conda;
mod dpkg;
mod pip;
mod rpm;
mod sqlite;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::tree::Tree;

/// An installed package and the files that it brought, as its database writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub files: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackageId {
    pub manager: Manager,
    pub name: String,
    pub version: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    Dpkg,
    Apk,
    Rpm,
    Conda,
    Pip,
}

/// A package that owns something of interest, with all that would go with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PackageSize {
    pub id: PackageId,
    pub bytes: u64,
    pub files: u64,
}

#[derive(Default)]
pub struct Ownership {
    /// By real path.
    pub owners: BTreeMap<String, PackageId>,
    pub packages: Vec<PackageSize>,
    pub unreadable: Vec<String>,
}

/// Whether a file is read for the sake of ownership, so that an archive must keep it.
pub fn is_database(path: &str) -> bool {
    dpkg::is_database(path)
        || pip::is_database(path)
        || is_conda(path)
        || APK.contains(&path)
        || RPM.contains(&path)
}

const APK: [&str; 2] = ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"];
const RPM: [&str; 2] = ["/var/lib/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/rpmdb.sqlite"];

fn is_conda(path: &str) -> bool {
    path.ends_with(".json") && path.rsplit('/').nth(1) == Some("conda-meta")
}

/// The owners of some files.
// Called from two places, and large.
#[inline(never)]
pub fn owners(tree: &Tree, wanted: &HashSet<String>) -> Ownership {
    let mut search = Search {
        tree,
        wanted,
        names: wanted.iter().map(|path| base(path)).collect(),
        found: Ownership::default(),
    };
    dpkg::each(tree, &mut |package| search.offer(Manager::Dpkg, "", package));
    for path in APK {
        if let Some(text) = tree.read_text(path) {
            apk::packages(&text).into_iter().for_each(|package| search.offer(Manager::Apk, "", package));
            break;
        }
    }
    for path in RPM {
        match tree.read(path).map(|bytes| rpm::packages(&bytes)) {
            Ok(Ok(packages)) => {
                packages.into_iter().for_each(|package| search.offer(Manager::Rpm, "", package))
            }
            Ok(Err(error)) => search.found.unreadable.push(format!("{path}: {error:#}")),
            // No such database.
            Err(_) => {}
        }
    }
    for path in tree.files.keys().filter(|path| is_conda(path)) {
        let prefix = path.rsplit_once("/conda-meta/").map_or("", |(prefix, _)| prefix);
        match tree.read_text(path).map(|text| conda::package(&text)) {
            Some(Ok(package)) => search.offer(Manager::Conda, prefix, package),
            Some(Err(error)) => search.found.unreadable.push(format!("{path}: {error:#}")),
            None => {}
        }
    }
    // Last, since a wheel that conda or the distribution installed is theirs to remove.
    pip::each(tree, &mut |site, package| search.offer(Manager::Pip, site, package));
    search.found
}

struct Search<'a> {
    tree: &'a Tree,
    wanted: &'a HashSet<String>,
    names: HashSet<&'a str>,
    found: Ownership,
}

impl Search<'_> {
    /// Takes note of a package if it owns something that is wanted. Its paths are relative to `place`.
    fn offer(&mut self, manager: Manager, place: &str, package: Package) {
        let candidates = package.files.iter().filter(|file| self.names.contains(base(file)));
        let hits: Vec<String> = candidates
            .filter_map(|file| self.real(place, file))
            .filter(|real| self.wanted.contains(real) && !self.found.owners.contains_key(real))
            .collect();
        if hits.is_empty() {
            return;
        }
        let mut seen = HashSet::new();
        let (mut bytes, mut files) = (0, 0);
        for file in package.files.iter().filter_map(|file| self.tree.files.get(&self.real(place, file)?)) {
            if seen.insert(file.identity) {
                bytes += file.bytes;
                files += 1;
            }
        }
        let owner = PackageId { manager, name: package.name, version: package.version };
        self.found.owners.extend(hits.into_iter().map(|file| (file, owner.clone())));
        self.found.packages.push(PackageSize { id: owner, bytes, files });
    }

    /// `/lib` may be a link to `/usr/lib`, and databases remember the older name. The file's own name is
    /// not followed: who owns a development link does not own what it points to.
    fn real(&self, place: &str, file: &str) -> Option<String> {
        let path = if file.starts_with('/') { file.to_owned() } else { format!("{place}/{file}") };
        let (directory, name) = path.rsplit_once('/')?;
        let directory = self.tree.resolve(directory)?;
        Some(format!("{}/{name}", directory.trim_end_matches('/')))
    }
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
