//! What is opened by name: names in objects that import dlopen, names in Python packages, and conventions.

use std::collections::BTreeSet;

use super::Users;
use super::packages::FINDERS;
use crate::catalogue::PARTS;
use crate::census::How;
use crate::paths::{self, site};
use crate::python::Role;

impl Users<'_> {
    /// Who opens which copy.
    pub fn opened(&mut self) -> Vec<(String, String, How)> {
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for (path, file) in &self.tree.files {
            let Some(elf) = &file.elf else { continue };
            if self.places.first(path) != path {
                continue;
            }
            let own = self.copy(path);
            if own.is_some_and(|copy| !self.reached.contains(copy) && !self.required.contains(copy)) {
                continue;
            }
            for name in elf.names.iter().filter(|_| elf.imports_dlopen) {
                let targets: Vec<String> =
                    self.places.loaded(path).into_iter().filter_map(|by| self.dlopen(by, name)).collect();
                for copy in targets.iter().filter_map(|target| self.copy(target)) {
                    if Some(copy) != own {
                        found.push((path.clone(), copy.to_owned(), How::Dlopen));
                    }
                }
                let inherited = self.inherited.get(path).into_iter().flatten();
                let mut inherited = inherited.filter(|(asked, _)| asked == name).peekable();
                let nothing = targets.is_empty() && inherited.peek().is_none();
                found.extend(inherited.map(|(_, copy)| (path.clone(), copy.clone(), How::Dlopen)));
                // A path is usually one of several that are tried.
                if nothing && !name.contains('/') {
                    missing.push((path.clone(), name.clone()));
                }
            }
            found.extend(self.parts(path).into_iter().map(|copy| (path.clone(), copy, How::Convention)));
        }
        self.gaps.opened.extend(missing);
        for (source, names) in &self.tree.python {
            if names.role != Role::Loads || FINDERS.iter().any(|finder| source.contains(finder)) {
                continue;
            }
            for stem in &names.loads {
                let mut copies = self.python(source, stem);
                if names.whole_directories {
                    copies = copies.iter().flat_map(|copy| self.beside(copy)).collect();
                }
                found.extend(copies.into_iter().map(|copy| (source.clone(), copy, How::Python)));
            }
        }
        for (list, stem) in self.packages.lists() {
            found
                .extend(self.python(list, stem).into_iter().map(|copy| (list.to_owned(), copy, How::Python)));
        }
        found
    }

    /// What an object gets from dlopen. In torch's process the library may be loaded already.
    fn dlopen(&self, by: &str, name: &str) -> Option<String> {
        let loaded = self.torch_objects.contains(by).then(|| self.torch.get(name)).flatten();
        loaded.cloned().or_else(|| self.loader.dlopen(by, name))
    }

    /// What a Python source gets for a stem: the wheel of its site, else what the loader finds.
    fn python(&self, source: &str, stem: &str) -> Vec<String> {
        let wheels = self.wheels_beside(source, stem);
        if !wheels.is_empty() {
            return wheels;
        }
        let of_stem = self.copies.iter().filter(|copy| paths::stem(copy) == stem);
        let sonames: BTreeSet<&str> = of_stem.filter_map(|copy| self.soname(copy)).collect();
        let default = sonames.into_iter().find_map(|soname| self.loader.by_default(soname));
        default.iter().filter_map(|path| self.copy(path)).map(str::to_owned).collect()
    }

    /// All copies in the directories of one, itself included.
    fn beside(&self, copy: &str) -> Vec<String> {
        let names = self.places.loaded(copy);
        let directories = names.iter().filter_map(|name| Some(paths::split(name)?.0));
        directories.flat_map(|directory| self.in_directory(directory, "")).collect()
    }

    /// Whether cuda.pathfinder, which finds wheels by name, is installed in a site.
    pub fn has_finder(&self, site: &str) -> bool {
        let finder = format!("{}{}", site.trim_end_matches('/'), FINDERS[0]);
        self.tree.files.range(finder.clone()..).next().is_some_and(|(path, _)| path.starts_with(&finder))
    }

    /// Whether cuda.pathfinder is installed in any site.
    pub fn has_any_finder(&self) -> bool {
        *self.finder.get_or_init(|| self.tree.files.keys().any(|path| path.contains(FINDERS[0])))
    }

    /// Copies with a stem in packages that are there for their libraries, in the site of a source.
    pub fn wheels_beside(&self, source: &str, stem: &str) -> Vec<String> {
        let sites: Vec<&str> = self.places.loaded(source).into_iter().filter_map(site).collect();
        let beside = |name: &&str| {
            let inside = sites.iter().find_map(|site| name.strip_prefix(site));
            inside.is_some_and(|inside| {
                inside.starts_with("nvidia/")
                    || self
                        .packages
                        .of(self.places, name)
                        .iter()
                        .any(|package| self.packages.is_library(*package))
            })
        };
        let of_stem = self.copies.iter().filter(|copy| paths::stem(copy) == stem);
        of_stem.filter(|copy| self.places.loaded(copy).iter().any(beside)).cloned().collect()
    }

    /// Libraries that an object loads by paths composed at run time.
    pub fn parts(&self, path: &str) -> Vec<String> {
        let (directory, name) = paths::split(path).unwrap_or(("", path));
        if name == "libproton.so" {
            // Triton's profiler brings its own CUPTI, one per generation of GPUs.
            let package = paths::directory(directory);
            let home =
                |home| self.in_directory(&format!("{package}/backends/nvidia/lib/{home}"), "libcupti.so");
            let homes = ["cupti", "cupti-blackwell"].into_iter().flat_map(home);
            return homes.filter(|copy| copy.ends_with("/libcupti.so")).collect();
        }
        let Some((_, prefix)) = PARTS.iter().find(|(library, _)| name.starts_with(library)) else {
            return Vec::new();
        };
        let names = self.places.loaded(path);
        let directories = names.iter().filter_map(|name| Some(paths::split(name)?.0));
        directories.flat_map(|directory| self.in_directory(directory, prefix)).collect()
    }

    /// Copies directly in a directory whose names have a prefix.
    pub fn in_directory(&self, directory: &str, prefix: &str) -> Vec<String> {
        let start = format!("{directory}/{prefix}");
        let inside = |name: &&str| name.strip_prefix(&start).is_some_and(|rest| !rest.contains('/'));
        self.copies.iter().filter(|copy| self.places.loaded(copy).iter().any(inside)).cloned().collect()
    }
}
