//! The installed Python packages: which of them can be in one process, and what their Python code loads.
//!
//! A package can rely on what the packages that it requires have loaded. Sources that find libraries for others
//! are not users by themselves.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::places::Places;
use crate::catalogue::{Library, library_of, unhashed, wheel};
use crate::packages::pip::{Distribution, Requirement, normalized};
use crate::paths;
use crate::python::Role;
use crate::tree::Tree;

/// Releases that wheels are named after.
const CUDA_RELEASES: std::ops::RangeInclusive<u32> = 11..=13;

/// Sources that find libraries for others.
pub const FINDERS: [&str; 1] = ["/cuda/pathfinder/"];

/// Libraries that a source loads only if the program calls a function of it, with that call: an object that
/// needs them fails otherwise. ONNX Runtime documents `preload_dlls` for its CUDA provider.
const ON_REQUEST: [(&str, &str); 1] = [("/onnxruntime/__init__.py", "onnxruntime.preload_dlls()")];

/// Whether a source loads nothing unless the program calls it.
pub fn is_on_request(source: &str) -> bool {
    ON_REQUEST.iter().any(|(path, _)| source.ends_with(path))
}

#[derive(Debug)]
pub struct Packages<'a> {
    list: &'a [Distribution],
    /// By site and normalized name.
    by_name: HashMap<(&'a str, String), usize>,
    /// Packages with a file directly in a directory.
    by_directory: HashMap<String, Vec<usize>>,
    /// Stems that the Python code of each package loads, with the source or data file.
    loads: HashMap<usize, Vec<(&'a str, &'a str)>>,
    /// Paths of the main libraries of each package, such as libcufft of `nvidia-cufft-cu12` and not its libcufftw.
    main: Vec<Vec<String>>,
    /// Paths of all listed libraries of each package.
    libraries: Vec<Vec<String>>,
    /// Packages that require one that is there for its libraries: both, and METADATA of the first.
    requirements: Vec<(usize, usize, &'a str)>,
}

/// How Python loads a library before an object needs it.
pub enum Preload {
    Always,
    /// Only if the program makes this call.
    OnRequest(&'static str),
}

impl<'a> Packages<'a> {
    pub fn new(tree: &'a Tree, places: &Places, list: &'a [Distribution]) -> Packages<'a> {
        let mut packages = Packages {
            list,
            by_name: HashMap::new(),
            by_directory: HashMap::new(),
            loads: HashMap::new(),
            main: list.iter().map(|package| libraries(package, is_main)).collect(),
            libraries: list.iter().map(|package| libraries(package, |_, _| true)).collect(),
            requirements: Vec::new(),
        };
        for (number, package) in list.iter().enumerate() {
            packages.by_name.insert((&package.site, normalized(&package.name)), number);
            let directories: HashSet<&str> = package
                .files
                .iter()
                .filter_map(|file| Some(paths::split(file)?.0))
                .filter(|directory| !directory.starts_with('.') && !directory.starts_with('/'))
                .collect();
            for directory in directories {
                let directory = format!("{}/{directory}", package.site);
                packages.by_directory.entry(directory).or_default().push(number);
            }
        }
        packages.read_sources(tree, places);
        packages.requirements = packages.find_requirements();
        packages
    }

    fn read_sources(&mut self, tree: &'a Tree, places: &Places) {
        let of_packages: Vec<_> = tree
            .python
            .iter()
            .filter(|(path, _)| !FINDERS.iter().any(|finder| path.contains(finder)))
            .map(|(path, names)| (path.as_str(), names, self.of(places, path)))
            .collect();
        let loading = of_packages.iter().filter(|(_, names, _)| names.role == Role::Loads);
        let loading: HashSet<usize> = loading.flat_map(|(.., packages)| packages.iter().copied()).collect();
        for (path, names, packages) in of_packages {
            for package in packages {
                let stems = match names.role {
                    Role::Loads => &names.loads,
                    // A source of the package reads the list.
                    Role::Data if loading.contains(&package) => &names.mentions,
                    _ => continue,
                };
                self.loads.entry(package).or_default().extend(stems.iter().map(|stem| (path, stem.as_str())));
            }
        }
    }

    /// The packages that a file belongs to, under any of its names.
    pub fn of(&self, places: &Places, path: &str) -> BTreeSet<usize> {
        let directories = places.loaded(path).into_iter().filter_map(|name| Some(paths::split(name)?.0));
        let found = directories.filter_map(|directory| self.by_directory.get(directory));
        found.flatten().copied().collect()
    }

    /// Data files with names that their package loads: the file and the stem.
    pub fn lists(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let loads = self.loads.values().flatten().copied();
        loads.filter(|(path, _)| crate::tree::inspect::is_data(path))
    }

    /// Some packages and all that they require, in their sites.
    pub fn with_required(&self, packages: BTreeSet<usize>) -> BTreeSet<usize> {
        let mut found = packages.clone();
        let mut todo: Vec<usize> = packages.into_iter().collect();
        while let Some(package) = todo.pop() {
            let Distribution { site, requires, .. } = &self.list[package];
            let required = requires.iter().filter_map(|requirement| self.named(site, &requirement.name));
            todo.extend(required.filter(|package| found.insert(*package)));
        }
        found
    }

    fn named(&self, site: &'a str, name: &str) -> Option<usize> {
        self.by_name.get(&(site, name.to_owned())).copied()
    }

    /// Whether Python code of some packages loads a library.
    pub fn preload(&self, packages: &BTreeSet<usize>, soname: &str) -> Option<Preload> {
        let has_finder =
            packages.iter().any(|package| normalized(&self.list[*package].name) == "cuda-pathfinder");
        if has_finder {
            return Some(Preload::Always);
        }
        let stem = soname.split(".so").next().unwrap_or(soname);
        let loads = packages.iter().filter_map(|package| self.loads.get(package)).flatten();
        let mut found = loads.filter(|(_, known)| *known == stem).map(|(path, _)| {
            let call = ON_REQUEST.iter().find(|(source, _)| path.ends_with(source));
            call.map_or(Preload::Always, |(_, call)| Preload::OnRequest(call))
        });
        let first = found.next()?;
        Some(if found.any(|other| matches!(other, Preload::Always)) { Preload::Always } else { first })
    }

    /// Packages that require one that is there for its libraries: both, and METADATA of the first.
    pub fn requirements(&self) -> &[(usize, usize, &'a str)] {
        &self.requirements
    }

    fn find_requirements(&self) -> Vec<(usize, usize, &'a str)> {
        let mut found = Vec::new();
        // A package without files requires nothing for itself.
        for (number, package) in self.list.iter().enumerate().filter(|(_, package)| !is_empty(package)) {
            for requirement in &package.requires {
                let mut required = Vec::new();
                self.resolve(&package.site, requirement, &mut required);
                let libraries =
                    required.into_iter().filter(|other| *other != number && self.is_library(*other));
                found.extend(libraries.map(|library| (number, library, package.metadata.as_str())));
            }
        }
        found.sort();
        found.dedup();
        found
    }

    /// The package that a requirement names, or those that it stands for: `cuda-toolkit[cudart]` has no files of its own.
    fn resolve(&self, site: &'a str, requirement: &Requirement, found: &mut Vec<usize>) {
        let Some(number) = self.named(site, &requirement.name) else { return };
        let package = &self.list[number];
        if !is_empty(package) {
            found.push(number);
            return;
        }
        let asked = |inner: &&Requirement| {
            inner.name != requirement.name
                && inner.only_with.as_ref().is_none_or(|extra| requirement.extras.contains(extra))
        };
        for inner in package.requires.iter().filter(asked) {
            // Only one level: packages without files that require each other would have no end.
            found.extend(self.named(site, &inner.name));
        }
    }

    pub fn name(&self, package: usize) -> &'a str {
        &self.list[package].name
    }

    /// The requirement of a package that names the wheel with a soname.
    pub fn requirement(&self, package: usize, soname: &str) -> Option<String> {
        let wheels: Vec<String> = CUDA_RELEASES.filter_map(|release| wheel(soname, Some(release))).collect();
        // Without the version that some of them are pinned to.
        let named = |name: &str| wheels.iter().any(|wheel| wheel.split("==").next() == Some(name));
        let found = self.list[package].requires.iter().find(|requirement| named(&requirement.name))?;
        Some(format!("{}{}", found.name, found.version))
    }

    /// Paths of the main libraries of a package.
    pub fn main_libraries(&self, package: usize) -> &[String] {
        &self.main[package]
    }

    /// Paths of all listed libraries of a package.
    pub fn libraries(&self, package: usize) -> &[String] {
        &self.libraries[package]
    }

    /// Whether a package is there for its libraries, such as `nvidia-cublas-cu12` or `cutensor-cu13`.
    pub fn is_library(&self, package: usize) -> bool {
        let name = normalized(&self.list[package].name);
        let own = name.strip_prefix("nvidia-").unwrap_or(&name);
        let after_library = |path: &String| {
            let stem = path.rsplit('/').next().unwrap_or("").split(".so").next().unwrap_or("");
            stem.strip_prefix("lib").is_some_and(|stem| own.starts_with(&stem.to_ascii_lowercase()))
        };
        // nvidia-npp-cu12 has no main one; nvidia-pytriton has copies of its own.
        let public = |path: &String| {
            let file = paths::name(path);
            unhashed(file) == file && path.contains("/nvidia/")
        };
        name != own && self.libraries(package).iter().any(public)
            || self.main_libraries(package).iter().any(after_library)
    }
}

/// Whether a package only stands for others.
fn is_empty(package: &Distribution) -> bool {
    package.files.iter().all(|file| file.contains(".dist-info/"))
}

/// Paths of listed libraries that are `wanted`.
fn libraries(package: &Distribution, wanted: fn(&str, &Library) -> bool) -> Vec<String> {
    let found = package.files.iter().filter(|file| {
        let name = paths::name(file);
        library_of(name).is_some_and(|library| wanted(name, library))
    });
    found.map(|file| format!("{}/{file}", package.site)).collect()
}

/// Whether a package may be named after a library: not after the others that come with it.
fn is_main(name: &str, library: &Library) -> bool {
    name.split(".so").next() == Some(library.name)
}
