//! Copies that have to stay although they have no known user, so that *redundant* is a promise.
//!
//! Kept are copies that nothing replaces; that are found by other means than visible names (plug-ins without
//! their library, wheels for cuda.pathfinder, parts of the driver, code for other processors, the
//! glibc-hwcaps variants of a used copy); that are mentioned where they would be found; and whatever a kept
//! copy would load. The rest can be deleted together, and `tests/real/redundant.py` does that to real trees.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::Users;
use super::gaps::AllMissing;
use super::packages::FINDERS;
use crate::catalogue::{PARTS, library_of, unhashed};
use crate::census::{Held, Why};
use crate::paths::{self, name, site};
use crate::python::Role;

impl Users<'_> {
    /// Call this when everything has been followed.
    pub fn keep_rest(&mut self) {
        let used: BTreeSet<&String> = self.reached.union(&self.required).collect();
        let candidates: Vec<&String> =
            self.copies.iter().filter(|copy| !used.contains(copy) && !is_stub(copy)).collect();
        if candidates.is_empty() {
            return;
        }
        // A copy that is only required may not be what programs get.
        let sonames: BTreeSet<&str> = self.reached.iter().filter_map(|copy| self.soname(copy)).collect();
        let unhashed_sonames: BTreeSet<Cow<str>> = sonames.iter().map(|soname| unhashed(soname)).collect();
        // The soname of a vendored copy has a hash, so nothing else asks for it.
        let replaced = |copy: &str| {
            let Some(soname) = self.soname(copy) else { return false };
            let plain = unhashed(soname);
            sonames.contains(soname) || plain != soname && unhashed_sonames.contains(&plain)
        };
        let mentions = self.mentions();
        let requiring = self.required_with_the_rest();
        let AllMissing { linked, alternatives, opened, optional } = self.missing();
        let missing = linked.iter().chain(&alternatives).chain(&opened).chain(&optional);
        let unmet: BTreeSet<&str> = missing.map(|missing| missing.soname.as_str()).collect();
        let holds = |copy: &String| -> Option<Held> {
            let why = |why| Some(Held { why, by: None });
            // An unmet need shows that programs run in a different environment from the assumed one.
            if self.soname(copy).is_some_and(|soname| unmet.contains(soname)) {
                return why(Why::Unmet);
            }
            if !replaced(copy) {
                return why(Why::NotReplaced);
            }
            if let Some(metadata) = requiring.get(copy) {
                return Some(Held { why: Why::Required, by: Some(metadata.clone()) });
            }
            let held_by = |why, by: Option<String>| Some(Held { why, by: Some(by?) });
            self.is_for_others(copy)
                .or_else(|| self.is_found_unseen(copy))
                .and_then(why)
                .or_else(|| held_by(Why::Mentioned, self.mentioned_by(copy, &mentions).map(str::to_owned)))
                .or_else(|| held_by(Why::SearchPath, self.searched_by(copy)))
        };
        let mut kept: BTreeMap<String, Held> =
            candidates.into_iter().filter_map(|copy| Some((copy.clone(), holds(copy)?))).collect();
        loop {
            let mut more = BTreeMap::new();
            for copy in used.iter().copied().chain(kept.keys()) {
                for other in self.parts(copy).into_iter().chain(self.would_load(copy)) {
                    if !used.contains(&other) && !kept.contains_key(&other) {
                        more.insert(other, Held { why: Why::Needed, by: Some(copy.clone()) });
                    }
                }
            }
            if more.is_empty() {
                break;
            }
            kept.extend(more);
        }
        self.kept = kept;
        self.hold_with_unmet();
    }

    /// All copies in packages that another one requires, with the METADATA of that: what a package requires is not only
    /// its main library.
    fn required_with_the_rest(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for (_, package, metadata) in self.packages.requirements() {
            for path in self.packages.libraries(*package) {
                found.extend(self.copy_at(path).map(|copy| (copy, (*metadata).to_owned())));
            }
        }
        found
    }

    /// What an unmet copy would load is as wanted as the copy itself.
    fn hold_with_unmet(&mut self) {
        let unmet = self.kept.iter().filter(|(_, held)| held.why == Why::Unmet).map(|(copy, _)| copy);
        let needed: Vec<(String, String)> = unmet
            .flat_map(|copy| self.would_load(copy).into_iter().map(|other| (copy.clone(), other)))
            .collect();
        for (copy, other) in needed {
            if let Some(held) = self.kept.get_mut(&other).filter(|held| held.why == Why::NotReplaced) {
                *held = Held { why: Why::Needed, by: Some(copy) };
            }
        }
    }

    /// The container runtime chooses parts of the driver, and other processors need their own copies.
    fn is_for_others(&self, copy: &str) -> Option<Why> {
        let library = library_of(name(copy));
        let machine = self.tree.files.get(copy).and_then(|file| file.elf.as_ref()).map(|elf| elf.machine);
        if library.is_some_and(|library| library.driver) {
            return Some(Why::Driver);
        }
        (machine != Some(self.loader.machine())).then_some(Why::OtherMachine)
    }

    /// Plug-ins without their library, wheels that cuda.pathfinder finds by name, and the variants of a used
    /// copy in glibc-hwcaps.
    fn is_found_unseen(&self, copy: &str) -> Option<Why> {
        let (directory, file) = paths::split(copy).unwrap_or(("", copy));
        let plug_in = PARTS.iter().find(|(_, part)| file.starts_with(part));
        let alone = plug_in.is_some_and(|(library, _)| self.in_directory(directory, library).is_empty());
        // It may be that of another site, such as the one below a virtual environment.
        let offered = |name: &&str| is_of_nvidia(name) && self.has_any_finder();
        let plain = directory.split("/glibc-hwcaps/").next().unwrap_or(directory);
        let twin = |other: &String| {
            let (other, other_file) = paths::split(other).unwrap_or_default();
            other != directory
                && other.split("/glibc-hwcaps/").next() == Some(plain)
                && (other.contains("/glibc-hwcaps/") || directory.contains("/glibc-hwcaps/"))
                && other_file.split(".so").next() == file.split(".so").next()
        };
        if alone {
            return Some(Why::PlugIn);
        }
        if self.places.loaded(copy).iter().any(offered) {
            return Some(Why::Finder);
        }
        self.reached.iter().any(twin).then_some(Why::Variant)
    }

    /// Everything that mentions a library.
    fn mentions(&self) -> Vec<Mention<'_>> {
        // Finders know all names; `is_found_unseen` handles them.
        let others =
            self.tree.python.iter().filter(|(by, _)| !FINDERS.iter().any(|finder| by.contains(finder)));
        let sources = others.flat_map(|(by, source)| {
            let seen = |text: &String| {
                source.role == Role::Names
                    || source.loads.contains(text) && !self.wheels_beside(by, text).is_empty()
            };
            source.mentions.iter().map(move |text| Mention { by, text, seen: seen(text) })
        });
        let objects = self.tree.files.iter().filter_map(|(path, file)| Some((path, file.elf.as_ref()?)));
        let in_objects = objects.flat_map(|(by, elf)| {
            let own = self.copy(by).is_none();
            // What an object opens itself is found already, except by a path that it composes with its directory.
            let names = elf.names.iter().map(|text| (text, elf.imports_dlopen));
            let mentions = elf.mentions.iter().map(|text| (text, !elf.imports_dlopen));
            names.chain(mentions).filter(move |(_, seen)| own || !seen).map(move |(text, seen)| Mention {
                by,
                text,
                seen,
            })
        });
        sources.chain(in_objects).collect()
    }

    /// The first mention that would lead to this copy: by its path, because it is in the same package or
    /// directory, or because the loader finds it.
    fn mentioned_by<'m>(&self, copy: &str, mentions: &[Mention<'m>]) -> Option<&'m str> {
        let soname = self.soname(copy);
        let unhashed = unhashed(name(copy));
        let stem = unhashed.split(".so").next().unwrap_or_default();
        let others = mentions.iter().filter(|mention| mention.by != copy);
        let leads = |Mention { by, text, seen }: &&Mention| {
            if text.starts_with('/') {
                return self.tree.resolve(text).is_some_and(|path| self.places.first(&path) == copy);
            }
            let gets = |found: Option<String>| found.is_some_and(|path| self.places.first(&path) == copy);
            let finds = |soname| gets(self.loader.by_default(soname)) || gets(self.loader.dlopen(by, soname));
            text.split(".so").next() == Some(stem)
                && (self.is_at_home(copy, by) && (!seen || self.fits(copy, text))
                    || !seen && (self.is_of_wheel(copy, by) || soname.is_some_and(finds)))
        };
        others.into_iter().find(leads).map(|mention| mention.by)
    }

    /// Whether a text is a stem, or else one of the file names of a copy.
    fn fits(&self, copy: &str, text: &str) -> bool {
        let links = self.places.hard_links(copy).iter().chain(self.places.links(copy));
        !text.contains(".so") || name(copy) == text || links.into_iter().any(|link| name(link) == text)
    }

    /// Whether a copy is in the package or directory of an object or source, under any of their names.
    fn is_at_home(&self, copy: &str, by: &str) -> bool {
        let homes = self.places.loaded(by);
        self.places.loaded(copy).iter().any(|copy| homes.iter().any(|by| copy.starts_with(home(by))))
    }

    /// Whether a copy is one of NVIDIA's wheels', which a Python source may look for in any site.
    fn is_of_wheel(&self, copy: &str, by: &str) -> bool {
        by.ends_with(".py") && self.places.loaded(copy).into_iter().any(is_of_nvidia)
    }

    /// What a copy needs and what it opens by name.
    fn would_load(&self, copy: &str) -> Vec<String> {
        let Some(closure) = self.loader.closure(copy) else { return Vec::new() };
        let elf = closure.objects[0].elf;
        let opened = elf.names.iter().filter(|_| elf.imports_dlopen);
        let opened: Vec<String> = opened.filter_map(|name| self.loader.dlopen(copy, name)).collect();
        let needed = closure.objects.iter().map(|object| object.path.clone());
        needed.chain(opened).filter_map(|path| self.copy(&path).map(str::to_owned)).collect()
    }
}

/// Whether a path is in the directory of NVIDIA's wheels.
fn is_of_nvidia(path: &str) -> bool {
    site(path).is_some_and(|site| path[site.len()..].starts_with("nvidia/"))
}

/// A mention of a library, by name, stem or path.
struct Mention<'a> {
    by: &'a str,
    text: &'a str,
    /// It leads to copies of the same package or directory alone: what it loads otherwise was found, or it loads nothing.
    seen: bool,
}

fn is_stub(copy: &str) -> bool {
    copy.contains("/stubs/")
}

/// The Python package that contains a file, else its directory.
fn home(path: &str) -> &str {
    let package = site(path).and_then(|site| Some(&path[..site.len() + path[site.len()..].find('/')? + 1]));
    package.unwrap_or_else(|| &path[..path.rfind('/').map_or(0, |slash| slash + 1)])
}
