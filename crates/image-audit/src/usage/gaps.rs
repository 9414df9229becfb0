//! What is missing: needs that the loader cannot meet and nothing else meets.
//!
//! An object is judged as its loaders load it: with their search paths and after what they have loaded. A need that is
//! met under one name of the object, or when another object loads it, is no gap, unless a program fails with it. Of
//! objects whose names differ in numbers alone, such as one for each CUDA release, one is loaded.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Users;
use super::packages::Preload;
use crate::catalogue::library_of;
use crate::census::{How, Missing};
use crate::loader::Closure;
use crate::paths::{self, site};
use crate::usage::places::Places;

/// An object and a soname that it needs.
type Need = (String, String);

/// Needs that some closures do not meet.
#[derive(Debug, Default)]
pub struct Gaps {
    unmet: BTreeSet<Need>,
    met: HashSet<Need>,
    /// Needs that are not met in a program.
    fatal: HashSet<Need>,
    /// Names passed to dlopen that are not found.
    pub opened: BTreeSet<Need>,
}

impl Gaps {
    pub fn add(&mut self, closure: &Closure, places: &Places) {
        let of_program = closure.objects[0].elf.interpreter.is_some();
        for (number, object) in closure.objects.iter().enumerate() {
            let listed = object.elf.needed.iter().filter(|soname| library_of(soname).is_some());
            for soname in listed {
                let need = (places.first(&object.path).to_owned(), soname.clone());
                if !closure.missing.iter().any(|(by, missing)| *by == number && missing == soname) {
                    self.met.insert(need);
                    continue;
                }
                if of_program {
                    self.fatal.insert(need.clone());
                }
                self.unmet.insert(need);
            }
        }
    }

    fn list(&self) -> impl Iterator<Item = &Need> {
        self.unmet.iter().filter(|need| self.fatal.contains(*need) || !self.met.contains(*need))
    }
}

/// What is missing, by how it is asked for.
#[derive(Debug)]
pub struct AllMissing {
    /// Linked.
    pub linked: Vec<Missing>,
    /// Linked by objects of which a sibling has all it needs.
    pub alternatives: Vec<Missing>,
    /// Opened by name, in no other version.
    pub opened: Vec<Missing>,
    /// Other names that are opened.
    pub optional: Vec<Missing>,
}

impl Users<'_> {
    /// Needs that Python meets before the object is loaded: the object and the copy.
    pub fn preloads(&self) -> Vec<(String, String, How)> {
        let met = self.gaps.list().filter_map(|(by, soname)| {
            let (copy, _) = self.preloaded(by, soname)?;
            Some((by.clone(), copy, How::Python))
        });
        met.collect()
    }

    /// The copy that Python has loaded when an object of a package is loaded.
    fn preloaded(&self, by: &str, soname: &str) -> Option<(String, Preload)> {
        let packages = self.packages.of(self.places, by);
        if packages.is_empty() {
            return self.preloaded_in_site(by, soname).map(|copy| (copy, Preload::Always));
        }
        let own = packages.clone();
        let packages = self.packages.with_required(packages);
        let scripted = |package: &usize| self.scripted.get(package)?.get(soname);
        let linked = |package: &usize| self.linked.get(package)?.get(soname);
        let others = packages.iter().filter(|package| !own.contains(*package));
        if let Some(copy) = packages.iter().find_map(scripted).or_else(|| others.filter_map(linked).next()) {
            return Some((copy.clone(), Preload::Always));
        }
        let sites: Vec<&str> = self.places.loaded(by).into_iter().filter_map(site).collect();
        let copy = self.copies.iter().find(|copy| {
            self.soname(copy) == Some(soname)
                && self.places.loaded(copy).iter().any(|name| sites.iter().any(|site| name.starts_with(site)))
                && self
                    .packages
                    .of(self.places, copy)
                    .iter()
                    .any(|package| self.packages.is_library(*package))
        })?;
        Some((copy.clone(), self.packages.preload(&packages, soname)?))
    }

    /// Without package metadata: a source of the same site loads the wheel by name.
    fn preloaded_in_site(&self, by: &str, soname: &str) -> Option<String> {
        let names = self.places.loaded(by);
        let site = names.iter().find_map(|name| site(name))?;
        let copy = self.copies.iter().find(|copy| {
            let of_nvidia =
                |name: &&str| name.strip_prefix(site).is_some_and(|inside| inside.starts_with("nvidia/"));
            self.places.loaded(copy).iter().any(of_nvidia) && self.soname(copy) == Some(soname)
        })?;
        let loads = self.tree.python.iter().any(|(path, source)| {
            path.starts_with(site) && source.loads.iter().any(|stem| paths::stem(soname) == stem)
        });
        (loads || self.has_finder(site)).then(|| copy.clone())
    }

    /// What is missing.
    pub fn missing(&self) -> AllMissing {
        let mut lacking = Vec::new();
        for (by, soname) in self.gaps.list() {
            match self.preloaded(by, soname) {
                Some((_, Preload::Always)) => {}
                Some((_, Preload::OnRequest(call))) => lacking.push((by, soname, Some(call))),
                None => lacking.push((by, soname, None)),
            }
        }
        let unmet: BTreeSet<&str> = lacking.iter().map(|(by, ..)| by.as_str()).collect();
        let (alternatives, lacking): (Vec<_>, Vec<_>) =
            lacking.iter().copied().partition(|(by, ..)| self.has_alternative(by, &unmet));
        let opened = self.gaps.opened.iter().filter(|(by, name)| self.preloaded(by, name).is_none());
        let (opened, optional): (Vec<&Need>, Vec<&Need>) =
            opened.partition(|(by, name)| self.is_wanted(by, name));
        let without_call =
            |needs: Vec<&'_ Need>| self.entries(needs.into_iter().map(|(by, name)| (by, name, None)));
        AllMissing {
            linked: self.entries(lacking.into_iter()),
            alternatives: self.entries(alternatives.into_iter()),
            opened: without_call(opened),
            optional: without_call(optional),
        }
    }

    fn entries<'n>(
        &self,
        needs: impl Iterator<Item = (&'n String, &'n String, Option<&'static str>)>,
    ) -> Vec<Missing> {
        let mut of: BTreeMap<(&str, Option<&str>), BTreeSet<&str>> = BTreeMap::new();
        for (by, soname, on_request) in needs {
            of.entry((soname, on_request)).or_default().insert(by);
        }
        let entry = |((soname, on_request), by): ((&str, Option<&str>), BTreeSet<&str>)| {
            let same = self.copies.iter().filter(|copy| self.would_answer(copy, soname));
            let packages = self.packages.of(self.places, by.first()?);
            Some(Missing {
                library: library_of(soname)?.name.to_owned(),
                soname: soname.to_owned(),
                copies: same.cloned().collect(),
                package: packages.first().map(|package| self.packages.name(*package).to_owned()),
                requirement: self.agreed_requirement(&by, soname),
                on_request: on_request.map(str::to_owned),
                by: by.into_iter().map(str::to_owned).collect(),
            })
        };
        of.into_iter().filter_map(entry).collect()
    }

    /// What the packages of some objects require for a library, unless they require different things.
    fn agreed_requirement(&self, by: &BTreeSet<&str>, soname: &str) -> Option<String> {
        let packages: BTreeSet<usize> =
            by.iter().flat_map(|path| self.packages.of(self.places, path)).collect();
        let mut required = packages.iter().filter_map(|package| self.packages.requirement(*package, soname));
        let first = required.next()?;
        required.all(|other| other == first).then_some(first)
    }

    /// Whether a copy would be found by a soname if its directory were searched.
    fn would_answer(&self, copy: &str, soname: &str) -> bool {
        let hard_links = self.places.hard_links(copy).iter().map(String::as_str);
        let links = self.places.links(copy).iter().map(String::as_str);
        let mut names = [copy].into_iter().chain(hard_links).chain(links);
        let machine = self.tree.files.get(copy).and_then(|file| file.elf.as_ref()).map(|elf| elf.machine);
        self.soname(copy) == Some(soname)
            && machine == Some(self.loader.machine())
            && !copy.contains("/stubs/")
            && names.any(|name| paths::name(name) == soname)
    }

    /// Whether a program works without a name that it opens and does not find: it is not of NVIDIA's, and this version
    /// of the library is the only one that it asks for.
    fn is_wanted(&self, by: &str, name: &str) -> bool {
        let Some(library) = library_of(name).filter(|library| !library.driver) else { return false };
        let of_nvidia =
            || self.packages.of(self.places, by).iter().any(|package| self.packages.is_library(*package));
        let Some(elf) = self.tree.files.get(by).and_then(|file| file.elf.as_ref()) else { return false };
        let same = |other: &String| {
            let file = paths::name(other);
            library_of(file).is_some_and(|known| known.name == library.name)
        };
        let other_version = |other: &String| *other != *name && other.contains(".so.") && same(other);
        let uses = |copy: &String| {
            same(copy) && self.edges.get(copy).is_some_and(|users| users.iter().any(|user| user.path == by))
        };
        name.contains(".so.")
            && !elf.names.iter().any(other_version)
            && !elf.needed.iter().any(same)
            && !self.copies.iter().any(uses)
            && self.copy(by).is_none()
            && !of_nvidia()
    }

    /// Whether an object has a sibling whose name differs in numbers alone and that has all it needs.
    fn has_alternative(&self, by: &str, unmet: &BTreeSet<&str>) -> bool {
        let plain = |path: &str| path.replace(|c: char| c.is_ascii_digit(), "");
        let directory = &by[..by.rfind('/').map_or(0, |slash| slash + 1)];
        let own = plain(by);
        own != by
            && self
                .tree
                .files
                .range(directory.to_owned()..)
                .take_while(|(path, _)| path.starts_with(directory))
                .any(|(path, file)| {
                    path != by && file.elf.is_some() && plain(path) == own && !unmet.contains(path.as_str())
                })
    }
}
