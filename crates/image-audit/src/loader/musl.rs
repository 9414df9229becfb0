//! The search order of musl: LD_LIBRARY_PATH; DT_RUNPATH or DT_RPATH of the requester and of the objects that
//! loaded it; the system's path. There is no cache. The names of the C library refer to the loader itself.

use super::closure::{Closure, Found};
use super::glibc::Glibc;
use super::paths::Paths;
use crate::tree::Tree;

/// Libraries that musl has in one file, without `lib`.
const OWN: [&str; 7] = ["c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."];

/// Architectures in the names of musl's loader. An image may be for a different architecture.
const ARCHITECTURES: [&str; 2] = ["x86_64", "aarch64"];

/// The image's musl loader, and its architecture.
fn loader(tree: &Tree) -> Option<(String, &'static str)> {
    let places = |arch| ["/lib", "/usr/lib"].map(|place| (format!("{place}/ld-musl-{arch}.so.1"), arch));
    ARCHITECTURES.into_iter().flat_map(places).find(|(loader, _)| tree.file(loader).is_some())
}

/// e_machine of the image's programs.
pub fn machine(tree: &Tree) -> Option<u16> {
    let (path, _) = loader(tree)?;
    Some(tree.file(&path)?.1.elf.as_ref()?.machine)
}

/// The system's search path; empty if the image has no musl.
pub fn system_path(tree: &Tree) -> Vec<String> {
    let Some((_, arch)) = loader(tree) else { return Vec::new() };
    let configured = tree.read_text(&format!("/etc/ld-musl-{arch}.path"));
    let path = configured.unwrap_or_else(|| "/lib:/usr/local/lib:/usr/lib".to_owned());
    elements(&path).map(str::to_owned).collect()
}

fn elements(path: &str) -> impl Iterator<Item = &str> {
    path.split([':', '\n']).filter(|element| !element.is_empty())
}

/// musl expands only `$ORIGIN`, and ignores the search paths of an object that uses another variable.
fn is_understood(path: &str) -> bool {
    let mut parts = path.split('$').skip(1);
    parts.all(|part| part.starts_with("ORIGIN") || part.starts_with("{ORIGIN}"))
}

/// Searches a name for an object of a closure.
pub fn find(
    system_path: &[String],
    glibc: &Glibc,
    tree: &Tree,
    paths: &Paths,
    closure: &Closure,
    by: usize,
    name: &str,
) -> Option<Found> {
    let requester = &closure.objects[by];
    let found = |path: String| Some(Found { path, instead_of: None });
    if name.contains('/') {
        return found(paths.absolute(name.to_owned()));
    }
    if name.strip_prefix("lib").is_some_and(|rest| OWN.iter().any(|own| rest.starts_with(own))) {
        return loader(tree).and_then(|(path, _)| found(path));
    }
    let machine = requester.elf.machine;
    // Not expanded, and empty elements are ignored.
    let path = paths.environment.library_path.as_deref().unwrap_or_default();
    let mut directories: Vec<String> =
        elements(path).map(|element| paths.absolute(element.to_owned())).collect();
    let mut link = Some(by);
    while let Some(number) = link {
        let object = &closure.objects[number];
        let elf = object.elf;
        let own = if elf.runpath.is_empty() { &elf.rpath } else { &elf.runpath };
        if own.iter().all(|path| is_understood(path)) {
            directories.extend(paths.directories(object, own));
        }
        link = object.loaded_by;
    }
    directories.extend(system_path.iter().cloned());
    glibc.search(tree, &directories, name, machine).and_then(found)
}
