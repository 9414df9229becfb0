//! What the image's loader loads for an object, in its order: `ldd` without running anything.

use std::collections::HashSet;

use crate::loader::{Loader, Resolution};
use crate::tree::Tree;

/// The objects that a loader may accept.
pub fn dynamic(tree: &Tree) -> impl Iterator<Item = &String> {
    let is_dynamic = |path: &&String| tree.files[*path].elf.as_ref().is_some_and(|elf| elf.dynamic);
    tree.files.keys().filter(is_dynamic)
}

/// None if there is no such object.
pub fn resolve(loader: &Loader, object: &str) -> Option<Resolution> {
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
