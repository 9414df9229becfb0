//! What a tree holds beside libraries: leftovers of builds, secrets, and which distribution it is.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::leftovers::{self, Flavour, Leftover};
use super::packages::PackageId;
use super::secrets::{self, Secret};
use super::tree::Tree;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftoverFound {
    pub kind: leftovers::Kind,
    pub place: String,
    pub bytes: u64,
    pub files: u64,
    /// Of the largest file.
    pub package: Option<PackageId>,
}

pub fn leftovers(tree: &Tree) -> (Vec<Leftover>, Flavour) {
    let mut collector = leftovers::Collector::new();
    let mut names: HashMap<(u64, u64), u32> = HashMap::new();
    for file in tree.files.values() {
        *names.entry(file.identity).or_default() += 1;
    }
    for (path, file) in &tree.files {
        // A file with another name frees nothing when one of them goes.
        collector.entry(path, if names[&file.identity] == 1 { file.bytes } else { 0 });
    }
    let flavour = collector.flavour();
    (collector.finish(), flavour)
}

pub fn owned(leftover: Leftover, owners: &BTreeMap<String, PackageId>) -> LeftoverFound {
    let Leftover { kind, place, bytes, files, largest, .. } = leftover;
    LeftoverFound { kind, place, bytes, files, package: owners.get(&largest).cloned() }
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
        Some(value.trim_matches(['"', '\'']).to_owned())
    };
    let id = field("ID")?;
    Some(field("VERSION_ID").map_or(id.clone(), |version| format!("{id} {version}")))
}
