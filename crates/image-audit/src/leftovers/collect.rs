//! Classifies files by path and sums them up by place.
//!
//! `places` knows directories, `names` file names, `flavor` the marks of a base image. The order of the
//! files never changes the result.

use std::collections::{BTreeMap, HashMap};

use super::flavor::{self, Flavor};
use super::kind::Kind;
use super::names;
use super::places::{self, Meaning};

/// Files of one kind in one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Leftover {
    pub kind: Kind,
    /// One file, or the topmost directory of such files. Only these files are counted, not others in it.
    pub place: String,
    pub bytes: u64,
    pub files: u64,
    /// The largest of the files, whose owner owns the leftover.
    pub largest: String,
    largest_bytes: u64,
}

/// Collects the regular files of a tree.
#[derive(Debug, Default)]
pub struct Collector {
    sums: Sums,
    /// Directories named `pkgs`, which are conda's only if something in them shows it.
    packages: HashMap<String, Packages>,
    evidence: flavor::Evidence,
}

#[derive(Debug, Default)]
struct Packages {
    of_conda: bool,
    all: Sums,
    /// What the files are if the directory is not conda's.
    otherwise: Sums,
}

impl Collector {
    pub fn new() -> Collector {
        Collector::default()
    }

    /// Adds a regular file by its path in the image, which begins with `/`.
    pub fn entry(&mut self, path: &str, bytes: u64) {
        let Some(slash) = memchr::memrchr(b'/', path.as_bytes()) else { return };
        let place = places::of(path, slash, 0);
        if !place.context.is_packages() {
            self.evidence.add(path, slash);
        }
        match place.meaning {
            Some((Meaning::Leftover(kind), end)) => self.sums.add(kind, &path[..end], path, bytes),
            Some((Meaning::Packages, end)) => self.maybe_conda(path, slash, end, bytes),
            _ => {
                if let Some((kind, end)) = names::of(path, slash, place.context) {
                    self.sums.add(kind, &path[..end], path, bytes);
                }
            }
        }
    }

    fn maybe_conda(&mut self, path: &str, slash: usize, end: usize, bytes: u64) {
        let directory = &path[..end];
        if !self.packages.contains_key(directory) {
            self.packages.insert(directory.to_owned(), Packages::default());
        }
        let Some(packages) = self.packages.get_mut(directory) else { return };
        packages.of_conda |= is_of_conda(&path[end..]);
        packages.all.add(Kind::CondaPackages, directory, path, bytes);
        if packages.of_conda {
            return;
        }
        let place = places::of(path, slash, end);
        let found = match place.meaning {
            Some((Meaning::Leftover(kind), end)) => Some((kind, end)),
            Some((Meaning::Packages, _)) => None,
            _ => names::of(path, slash, place.context),
        };
        if let Some((kind, end)) = found {
            packages.otherwise.add(kind, &path[..end], path, bytes);
        }
    }

    /// Which base image the files resemble.
    pub fn flavor(&self) -> Flavor {
        self.evidence.flavor()
    }

    /// The leftovers, sorted by kind, largest first.
    pub fn finish(mut self) -> Vec<Leftover> {
        for packages in std::mem::take(&mut self.packages).into_values() {
            self.sums.merge(if packages.of_conda { packages.all } else { packages.otherwise });
        }
        let mut found = self.sums.found;
        found.sort_by(|a, b| {
            a.kind.cmp(&b.kind).then(b.bytes.cmp(&a.bytes)).then_with(|| a.place.cmp(&b.place))
        });
        found
    }
}

/// Whether a path below `pkgs` is one that only conda has.
fn is_of_conda(below: &str) -> bool {
    let mut parts = below.split('/').skip(1);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), None, None) => {
            name.ends_with(".conda") || name.ends_with(".tar.bz2") || name == "urls.txt"
        }
        (Some(_), Some("info"), Some(name)) => name == "index.json" || name == "repodata_record.json",
        _ => false,
    }
}

#[derive(Debug, Default)]
struct Sums {
    found: Vec<Leftover>,
    places: BTreeMap<Kind, HashMap<String, usize>>,
    /// Index of the last place: files of one place mostly follow each other.
    last: usize,
}

impl Sums {
    fn add(&mut self, kind: Kind, place: &str, path: &str, bytes: u64) {
        let index = self.index(kind, place);
        let sum = &mut self.found[index];
        sum.bytes = sum.bytes.saturating_add(bytes);
        sum.files += 1;
        sum.consider(path, bytes);
    }

    fn index(&mut self, kind: Kind, place: &str) -> usize {
        let last = self.found.get(self.last);
        if last.is_some_and(|last| last.kind == kind && last.place == place) {
            return self.last;
        }
        let places = self.places.entry(kind).or_default();
        self.last = match places.get(place) {
            Some(index) => *index,
            None => {
                let index = self.found.len();
                places.insert(place.to_owned(), index);
                self.found.push(Leftover::new(kind, place));
                index
            }
        };
        self.last
    }

    fn merge(&mut self, other: Sums) {
        for leftover in other.found {
            let index = self.index(leftover.kind, &leftover.place);
            let sum = &mut self.found[index];
            sum.bytes = sum.bytes.saturating_add(leftover.bytes);
            sum.files += leftover.files;
            sum.consider(&leftover.largest, leftover.largest_bytes);
        }
    }
}

impl Leftover {
    fn new(kind: Kind, place: &str) -> Leftover {
        Leftover {
            kind,
            place: place.to_owned(),
            bytes: 0,
            files: 0,
            largest: String::new(),
            largest_bytes: 0,
        }
    }

    /// Of files of one size, the first by name.
    fn consider(&mut self, path: &str, bytes: u64) {
        let larger = bytes > self.largest_bytes || self.largest.is_empty();
        if larger || (bytes == self.largest_bytes && *path < *self.largest) {
            self.largest.clear();
            self.largest.push_str(path);
            self.largest_bytes = bytes;
        }
    }
}

#[cfg(test)]
mod tests;
