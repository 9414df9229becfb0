//! What a tree holds beside libraries: leftovers of builds, secrets, and which distribution it is.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::hygiene::{self, Flavour, Leftover};
use super::packages::Owner;
use super::secrets::{self, Secret};
use super::tree::Tree;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftoverFound {
    pub kind: hygiene::Kind,
    pub place: String,
    pub bytes: u64,
    pub files: u64,
    /// Of the largest file.
    pub owner: Option<Owner>,
}

pub fn leftovers(tree: &Tree) -> (Vec<Leftover>, Flavour) {
    let mut collector = hygiene::Collector::new();
    let mut seen = HashSet::new();
    for (path, file) in &tree.files {
        // Of hard links, the first has the bytes.
        collector.entry(path, if seen.insert(file.identity) { file.bytes } else { 0 });
    }
    let flavour = collector.flavour();
    (collector.finish(), flavour)
}

pub fn owned(leftover: Leftover, owners: &BTreeMap<String, Owner>) -> LeftoverFound {
    let Leftover { kind, place, bytes, files, largest, .. } = leftover;
    LeftoverFound { kind, place, bytes, files, owner: owners.get(&largest).cloned() }
}

pub fn secrets(tree: &Tree) -> Vec<Secret> {
    let candidates = tree.files.iter().filter(|(path, file)| file.bytes > 0 && secrets::wants(path));
    let look = |path: &String| secrets::in_file(path, &tree.beginning(path, secrets::LIMIT as u64).ok()?);
    candidates.filter_map(|(path, _)| look(path)).collect()
}

/// `debian 12` of os-release.
pub fn distribution(tree: &Tree) -> Option<String> {
    let text = tree.read_text("/etc/os-release")?;
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(value.trim_matches('"').to_owned())
    };
    let id = field("ID")?;
    Some(field("VERSION_ID").map_or(id.clone(), |version| format!("{id} {version}")))
}
