//! What the image's loader loads for an object, in its order: `ldd` without running anything.

use std::collections::HashSet;

use crate::loader::{Loader, Resolution};
use crate::tree::Tree;

/// For the object at a path, or with `all` for every object that a loader accepts. None if there is no such
/// object.
pub fn resolve(tree: &Tree, loader: &Loader, object: &str) -> Option<Vec<Resolution>> {
    if object != "all" {
        return Some(vec![one(loader, object)?]);
    }
    let dynamic = tree.files.iter().filter(|(_, file)| file.elf.as_ref().is_some_and(|elf| elf.dynamic));
    Some(dynamic.filter_map(|(path, _)| one(loader, path)).collect())
}

fn one(loader: &Loader, object: &str) -> Option<Resolution> {
    let closure = loader.closure(object)?;
    let path = |number: usize| closure.objects[number].found_as.clone();
    // Circular dependencies find the object itself already loaded.
    let others = closure.requests.iter().filter(|(_, number)| *number != Some(0));
    let loads = others.map(|(name, number)| (name.clone(), number.map(path)));
    // The loader does not list other names of what is loaded already.
    let mut listed = HashSet::new();
    let first =
        |(_, path): &(String, Option<String>)| path.as_ref().is_none_or(|path| listed.insert(path.clone()));
    Some(Resolution { object: object.to_owned(), loads: loads.filter(first).collect() })
}
