//! musl's rules. Searched are, in this order: LD_LIBRARY_PATH; the search paths of the requester and of
//! all that loaded it, DT_RUNPATH like DT_RPATH; the system's path. There is no cache. The names of
//! the C library's parts mean the loader itself.

use super::{Closure, Found, Loader};
use crate::facts::tree::Tree;

/// Parts of the C library, which musl has in one file.
const OWN: [&str; 7] = ["c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."];

fn loaders() -> [String; 2] {
    let arch = std::env::consts::ARCH;
    [format!("/lib/ld-musl-{arch}.so.1"), format!("/usr/lib/ld-musl-{arch}.so.1")]
}

/// The system's search path; empty where the image has no musl.
pub fn system_path(tree: &Tree) -> Vec<String> {
    if !loaders().iter().any(|loader| tree.file(loader).is_some()) {
        return Vec::new();
    }
    let configured = tree.read_text(&format!("/etc/ld-musl-{}.path", std::env::consts::ARCH));
    let path = configured.unwrap_or_else(|| "/lib:/usr/local/lib:/usr/lib".to_owned());
    elements(&path).map(str::to_owned).collect()
}

fn elements(path: &str) -> impl Iterator<Item = &str> {
    path.split([':', '\n']).filter(|element| !element.is_empty())
}

/// musl knows `$ORIGIN` alone, and drops all search paths of an object that has something else.
fn is_understood(path: &str) -> bool {
    let mut parts = path.split('$').skip(1);
    parts.all(|part| part.starts_with("ORIGIN") || part.starts_with("{ORIGIN}"))
}

impl<'a> Loader<'a> {
    pub(super) fn find_musl(&self, closure: &Closure<'a>, by: usize, name: &str) -> Option<Found> {
        let requester = &closure.objects[by];
        let found = |path: String| Some(Found { path, instead_of: None });
        if name.contains('/') {
            return found(self.absolute(name.to_owned()));
        }
        if name.strip_prefix("lib").is_some_and(|rest| OWN.iter().any(|own| rest.starts_with(own))) {
            return loaders().into_iter().find(|loader| self.tree.file(loader).is_some()).and_then(found);
        }
        let machine = requester.elf.machine;
        // Nothing is put in here, and empty elements mean nothing.
        let path = self.environment.library_path.as_deref().unwrap_or_default();
        let mut directories: Vec<String> =
            elements(path).map(|element| self.absolute(element.to_owned())).collect();
        let mut link = Some(by);
        while let Some(number) = link {
            let object = &closure.objects[number];
            let elf = object.elf;
            let paths = if elf.runpath.is_empty() { &elf.rpath } else { &elf.runpath };
            if paths.iter().all(|path| is_understood(path)) {
                directories.extend(self.directories(object, paths));
            }
            link = object.loaded_by;
        }
        directories.extend(self.musl.iter().cloned());
        self.search(&directories, name, machine).and_then(found)
    }
}
