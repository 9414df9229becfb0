//! What the image's loader loads for one object, in its order: `ldd` without running anything.

use serde::Serialize;

use super::loader::Loader;
use super::tree::Tree;

#[derive(Debug, Serialize)]
pub struct Loads {
    pub object: String,
    /// Each name that is asked for, and the path by which the loader finds it.
    pub loads: Vec<(String, Option<String>)>,
}

/// Of the object at a path, or of every object that a loader takes. None: there is no such object.
pub fn of(tree: &Tree, loader: &Loader, wanted: &str) -> Option<Vec<Loads>> {
    if wanted != "all" {
        return Some(vec![one(loader, wanted)?]);
    }
    let dynamic = tree.files.iter().filter(|(_, file)| file.elf.as_ref().is_some_and(|elf| elf.dynamic));
    Some(dynamic.filter_map(|(path, _)| one(loader, path)).collect())
}

fn one(loader: &Loader, object: &str) -> Option<Loads> {
    let closure = loader.closure(object)?;
    let path = |number: usize| closure.objects[number].found_as.clone();
    // An object that is needed in a circle is there already.
    let others = closure.requests.iter().filter(|(_, number)| *number != Some(0));
    let loads = others.map(|(name, number)| (name.clone(), number.map(path)));
    // Later names of what is loaded already, the loader does not list.
    let mut listed = std::collections::HashSet::new();
    let first =
        |(_, path): &(String, Option<String>)| path.as_ref().is_none_or(|path| listed.insert(path.clone()));
    Some(Loads { object: object.to_owned(), loads: loads.filter(first).collect() })
}
