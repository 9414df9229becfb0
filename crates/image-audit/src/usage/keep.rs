//! Copies that have to stay although they have no known user, so that *redundant* is a promise.
//!
//! Kept are copies that nothing replaces; that are found by other means than visible names (plug-ins without
//! their library, wheels for cuda.pathfinder, parts of the driver, code for other processors, the
//! glibc-hwcaps variants of a used copy); that are mentioned where they would be found; and whatever a kept
//! copy would load. The rest can be deleted together, and `tests/real/redundant.py` does that to real trees.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{FINDERS, Users, site};
use crate::catalogue::{PARTS, library_of, unhashed};

impl Users<'_> {
    /// Call this when everything has been followed.
    pub fn keep_rest(&mut self) {
        let candidates: Vec<&String> =
            self.copies.iter().filter(|copy| !self.reached.contains(*copy) && !is_stub(copy)).collect();
        if candidates.is_empty() {
            return;
        }
        let sonames: BTreeSet<&str> = self.reached.iter().filter_map(|copy| self.soname(copy)).collect();
        let unhashed_sonames: BTreeSet<Cow<str>> = sonames.iter().map(|soname| unhashed(soname)).collect();
        // The soname of a vendored copy has a hash, so nothing else asks for it.
        let replaced = |copy: &str| {
            let Some(soname) = self.soname(copy) else { return false };
            let plain = unhashed(soname);
            sonames.contains(soname) || plain != soname && unhashed_sonames.contains(&plain)
        };
        let mentions = self.mentions();
        // An unmet need shows that programs run in a different environment from the assumed one.
        let unmet = |copy: &str| {
            self.soname(copy)
                .is_some_and(|soname| self.missing.contains_key(soname) || self.optional.contains_key(soname))
        };
        let stays = |copy: &&&String| {
            !replaced(copy)
                || unmet(copy)
                || self.is_for_others(copy)
                || self.is_found_unseen(copy)
                || self.is_mentioned(copy, &mentions)
        };
        let mut kept: BTreeSet<String> =
            candidates.iter().filter(stays).map(|copy| (*copy).clone()).collect();
        loop {
            let mut more = kept.clone();
            for copy in self.reached.iter().chain(&kept) {
                more.extend(self.parts(copy));
                more.extend(self.would_load(copy));
            }
            more.retain(|copy| !self.reached.contains(copy));
            if more.len() == kept.len() {
                break;
            }
            kept = more;
        }
        self.kept = kept;
    }

    /// The container runtime chooses parts of the driver, and other processors need their own copies.
    fn is_for_others(&self, copy: &str) -> bool {
        let library = library_of(name(copy));
        let machine = self.tree.files.get(copy).and_then(|file| file.elf.as_ref()).map(|elf| elf.machine);
        library.is_some_and(|library| library.driver) || machine != Some(self.loader.machine())
    }

    /// Plug-ins without their library, wheels that cuda.pathfinder finds by name, and the variants of a used
    /// copy in glibc-hwcaps.
    fn is_found_unseen(&self, copy: &str) -> bool {
        let (directory, file) = copy.rsplit_once('/').unwrap_or(("", copy));
        let plug_in = PARTS.iter().find(|(_, part)| file.starts_with(part));
        let alone = plug_in.is_some_and(|(library, _)| self.in_directory(directory, library).is_empty());
        let offered = copy.split_once("/nvidia/").is_some_and(|(site, _)| self.has_finder(site));
        let plain = directory.split("/glibc-hwcaps/").next().unwrap_or(directory);
        let twin = |other: &String| {
            let (other, other_file) = other.rsplit_once('/').unwrap_or_default();
            other != directory
                && other.split("/glibc-hwcaps/").next() == Some(plain)
                && (other.contains("/glibc-hwcaps/") || directory.contains("/glibc-hwcaps/"))
                && other_file.split(".so").next() == file.split(".so").next()
        };
        alone || offered || self.reached.iter().any(twin)
    }

    /// Everything that mentions a library.
    fn mentions(&self) -> Vec<Mention<'_>> {
        // Finders know all names; `is_found_unseen` handles them.
        let others =
            self.tree.python.iter().filter(|(by, _)| !FINDERS.iter().any(|finder| by.contains(finder)));
        let sources = others.flat_map(|(by, source)| {
            let seen =
                |text: &String| source.loads.contains(text) && !self.wheels_beside(by, text).is_empty();
            source.mentions.iter().map(move |text| Mention { by, text, seen: seen(text) })
        });
        let objects = self.tree.files.iter().filter_map(|(path, file)| Some((path, file.elf.as_ref()?)));
        let in_objects = objects.flat_map(|(by, elf)| {
            let names = elf.names.iter().filter(|_| !elf.imports_dlopen);
            let mentions = elf.mentions.iter().filter(|_| elf.imports_dlopen);
            names.chain(mentions).map(move |text| Mention { by, text, seen: false })
        });
        sources.chain(in_objects).collect()
    }

    /// Whether a mention would lead to this copy: by its path, because it is in the same package or
    /// directory, or because the loader finds it.
    fn is_mentioned(&self, copy: &str, mentions: &[Mention]) -> bool {
        let soname = self.soname(copy);
        let unhashed = unhashed(name(copy));
        let stem = unhashed.split(".so").next().unwrap_or_default();
        mentions.iter().filter(|mention| mention.by != copy).any(|Mention { by, text, seen }| {
            if text.starts_with('/') {
                return self.tree.resolve(text).as_deref() == Some(copy);
            }
            let gets = |found: Option<String>| found.as_deref() == Some(copy);
            let finds = |soname| gets(self.loader.by_default(soname)) || gets(self.loader.dlopen(by, soname));
            text.split(".so").next() == Some(stem)
                && (copy.starts_with(home(by)) || !seen && soname.is_some_and(finds))
        })
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

/// A mention of a library, by name, stem or path.
struct Mention<'a> {
    by: &'a str,
    text: &'a str,
    /// It is a source that was seen to load the wheel of its site.
    seen: bool,
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn is_stub(copy: &str) -> bool {
    copy.contains("/stubs/")
}

/// The Python package that contains a file, else its directory.
fn home(path: &str) -> &str {
    let package = site(path).and_then(|site| Some(&path[..site.len() + path[site.len()..].find('/')? + 1]));
    package.unwrap_or_else(|| &path[..path.rfind('/').map_or(0, |slash| slash + 1)])
}
