//! Files that a production image rarely needs, summed up per place, and what base image it was.
//!
//! What a file is follows from its path alone: `places` knows directories, `names` file names,
//! `flavour` the marks of a base image. Nothing is read here and nothing judged: whether a compiler
//! is one too many is for the checks. The order of the entries never changes the result.

mod flavour;
pub mod index;
mod names;
mod places;

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

pub use flavour::{Base, Flavour};
use places::Meaning;

/// Files of one kind in one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leftover {
    pub kind: Kind,
    /// One file, or the topmost directory of such files; only they are counted, not all that lies there.
    pub place: String,
    pub bytes: u64,
    pub files: u64,
    /// The largest of the files: who owns it owns the place.
    pub largest: String,
    #[serde(skip)]
    largest_bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    PipCache,
    UvCache,
    PoetryCache,
    /// Archives and unpacked packages in conda's `pkgs`, which environments may share by hard links.
    CondaPackages,
    AptArchives,
    AptLists,
    /// Of yum, dnf and zypper.
    YumCache,
    ApkCache,
    /// Of ccache and sccache.
    Ccache,
    BazelCache,
    CargoRegistry,
    GoCache,
    NpmCache,
    HuggingfaceCache,
    /// Models that `torch.hub` fetched.
    TorchHub,
    /// Wheels that lie around, those that belong to Python itself left out.
    Wheels,
    /// Packages and installers that lie around: deb, rpm, CUDA's and the driver's `.run`, conda's `.sh`.
    Installers,
    /// Of a toolkit or the distribution.
    CudaHeaders,
    /// Those that runtime wheels bring along: no sign of a devel image.
    HeadersInWheels,
    /// CUDA's `*.a` of a toolkit or the distribution.
    StaticLibraries,
    StaticLibrariesInWheels,
    /// nvcc and what it calls, of a toolkit or of NVIDIA's wheels.
    Nvcc,
    /// NVIDIA's profilers, debuggers and sanitizer.
    Nsight,
    /// The distribution's or conda's compilers and linkers, and Rust toolchains.
    Compilers,
    CudaSamplesDocs,
    Git,
    /// What an unfinished or careless build left: CMake's and setuptools' object files.
    BuildTrees,
    DebugSymbols,
    TemporaryFiles,
    CrashDumps,
}

/// Kinds that are removed in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Caches of package managers and build tools other than apt.
    Caches,
    Apt,
    /// Models and data sets that a framework downloaded.
    Models,
    /// Wheels and installers.
    Installers,
    /// Parts of the CUDA Toolkit that only builds need.
    Toolkit,
    /// Headers and static libraries that runtime wheels bring along.
    InWheels,
    Compilers,
    /// Files of builds and tests.
    BuildFiles,
}

impl Kind {
    pub fn group(self) -> Group {
        match self {
            Kind::PipCache
            | Kind::UvCache
            | Kind::PoetryCache
            | Kind::CondaPackages
            | Kind::YumCache
            | Kind::ApkCache
            | Kind::Ccache
            | Kind::BazelCache
            | Kind::CargoRegistry
            | Kind::GoCache
            | Kind::NpmCache => Group::Caches,
            Kind::AptArchives | Kind::AptLists => Group::Apt,
            Kind::HuggingfaceCache | Kind::TorchHub => Group::Models,
            Kind::Wheels | Kind::Installers => Group::Installers,
            Kind::CudaHeaders | Kind::StaticLibraries | Kind::Nvcc | Kind::Nsight | Kind::CudaSamplesDocs => {
                Group::Toolkit
            }
            Kind::HeadersInWheels | Kind::StaticLibrariesInWheels => Group::InWheels,
            Kind::Compilers => Group::Compilers,
            Kind::Git | Kind::BuildTrees | Kind::DebugSymbols | Kind::TemporaryFiles | Kind::CrashDumps => {
                Group::BuildFiles
            }
        }
    }
}

/// Sums up the regular files of a tree, one call each.
#[derive(Debug, Default)]
pub struct Collector {
    sums: Sums,
    /// Directories named `pkgs`: conda's only where something in them says so.
    packages: HashMap<String, Packages>,
    evidence: flavour::Evidence,
}

#[derive(Debug, Default)]
struct Packages {
    of_conda: bool,
    all: Sums,
    /// What the files are where the directory is not conda's.
    otherwise: Sums,
}

impl Collector {
    pub fn new() -> Collector {
        Collector::default()
    }

    /// A regular file by its path in the image, which begins with `/`. A file of several names counts
    /// as often as it is named here.
    pub fn entry(&mut self, path: &str, bytes: u64) {
        let Some(slash) = memchr::memrchr(b'/', path.as_bytes()) else { return };
        let place = places::of(path, slash, 0);
        if !place.context.is_packages() {
            self.evidence.see(path, slash);
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

    pub fn flavour(&self) -> Flavour {
        self.evidence.flavour()
    }

    /// Sorted by kind, the largest first.
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

/// What only conda's package directory has, by the path below it.
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
    /// Files of one place mostly come one after the other.
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

    /// Of files of one size the first by name, whatever came first.
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
