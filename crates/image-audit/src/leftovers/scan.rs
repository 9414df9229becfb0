//! The leftovers of a whole tree, with the packages that own them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::collect::{Collector, Leftover};
use super::flavor::Flavor;
use super::kind::LeftoverFound;
use crate::packages::PackageId;
use crate::tree::Tree;

/// The leftovers of a tree, and which base image it resembles.
pub fn scan(tree: &Tree) -> (Vec<Leftover>, Flavor) {
    let mut collector = Collector::new();
    let mut names: HashMap<(u64, u64), u32> = HashMap::new();
    for file in tree.files.values() {
        *names.entry(file.identity).or_default() += 1;
    }
    for (path, file) in &tree.files {
        // Deleting one of several hard links frees nothing.
        collector.entry(path, if names[&file.identity] == 1 { file.bytes } else { 0 });
    }
    let flavor = collector.flavor();
    let mut found = collector.finish();
    let linked = linked_into(tree);
    found.retain(|leftover| !leftover.kind.is_cache() || !is_linked_into(&leftover.place, &linked));
    (found, flavor)
}

/// What symbolic links from elsewhere lead to in caches, with a trailing slash: uv and conda can install that way. And
/// virtual environments in caches, from which uv runs scripts.
fn linked_into(tree: &Tree) -> BTreeSet<String> {
    // A link may lead to a directory.
    let inside = |real: &str| super::is_cache(real) || super::is_cache(&format!("{real}/x"));
    let links = tree.links_to(inside).into_iter().filter(|(link, _)| !super::is_cache(link));
    let environments =
        tree.files.keys().filter(|path| path.ends_with("/pyvenv.cfg") && super::is_cache(path));
    links.map(|(_, real)| format!("{real}/")).chain(environments.map(|path| format!("{path}/"))).collect()
}

/// Whether deleting a directory would break an installation.
fn is_linked_into(place: &str, linked: &BTreeSet<String>) -> bool {
    let below = format!("{place}/");
    linked.range(below.clone()..).next().is_some_and(|real| real.starts_with(&below))
}

/// A leftover with the package that owns its largest file.
pub fn owned(leftover: Leftover, owners: &BTreeMap<String, PackageId>) -> LeftoverFound {
    let Leftover { kind, place, bytes, files, largest, .. } = leftover;
    LeftoverFound { kind, place, bytes, files, package: owners.get(&largest).cloned() }
}
