//! Who owns a file: dpkg's lists and the RECORD of Python distributions.
//!
//! Only the files that are asked about are looked up. A database that is damaged owns nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::tree::Tree;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub manager: Manager,
    pub name: String,
    pub version: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    Dpkg,
    Pip,
}

/// The owners of some files, by real path.
pub fn owners(tree: &Tree, wanted: &HashSet<String>) -> BTreeMap<String, Owner> {
    let mut owners = BTreeMap::new();
    dpkg(tree, wanted, &mut owners);
    pip(tree, wanted, &mut owners);
    owners
}

fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

const DPKG: &str = "/var/lib/dpkg";

fn dpkg(tree: &Tree, wanted: &HashSet<String>, owners: &mut BTreeMap<String, Owner>) {
    let Some(status) = tree.read_text(&format!("{DPKG}/status")) else { return };
    let versions = parse_status(&status);
    let names: HashSet<&str> = wanted.iter().map(|path| base(path)).collect();
    for list in tree.list(&format!("{DPKG}/info")) {
        let Some(package) = list.strip_suffix(".list") else { continue };
        let package = package.split(':').next().unwrap_or(package);
        let Some(version) = versions.get(package) else { continue };
        let Some(text) = tree.read_text(&format!("{DPKG}/info/{list}")) else { continue };
        for line in text.lines().filter(|line| names.contains(base(line))) {
            // /lib may be a link to /usr/lib, and dpkg remembers the older name. The file's own name is
            // not followed: who owns a development link does not own what it points to.
            let (directory, name) = line.rsplit_once('/').unwrap_or_default();
            let real = tree
                .resolve(directory)
                .map(|directory| format!("{}/{name}", directory.trim_end_matches('/')));
            if let Some(real) = real.filter(|real| wanted.contains(real)) {
                let owner =
                    Owner { manager: Manager::Dpkg, name: package.to_owned(), version: version.clone() };
                owners.insert(real, owner);
            }
        }
    }
}

/// Versions of the packages that are installed.
fn parse_status(text: &str) -> HashMap<&str, String> {
    let stanza = |stanza: &'_ str| -> Option<(usize, usize, String)> {
        let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        field("Status")?.ends_with(" installed").then_some(())?;
        let name = field("Package")?;
        let start = name.as_ptr() as usize - text.as_ptr() as usize;
        Some((start, start + name.len(), field("Version")?.to_owned()))
    };
    text.split("\n\n").filter_map(stanza).map(|(start, end, version)| (&text[start..end], version)).collect()
}

fn pip(tree: &Tree, wanted: &HashSet<String>, owners: &mut BTreeMap<String, Owner>) {
    let names: HashSet<&str> = wanted.iter().map(|path| base(path)).collect();
    for directory in &tree.dist_infos {
        let site = directory.rsplit_once('/').map_or("", |(site, _)| site);
        let Some(record) = tree.read_text(&format!("{directory}/RECORD")) else { continue };
        let files: Vec<String> = record
            .lines()
            .map(record_path)
            .filter(|path| names.contains(base(path)))
            .filter_map(|path| tree.resolve(&format!("{site}/{path}")))
            .filter(|real| wanted.contains(real))
            .collect();
        if files.is_empty() {
            continue;
        }
        let metadata = tree.read_text(&format!("{directory}/METADATA")).unwrap_or_default();
        let field = |name: &str| {
            let header = metadata.lines().take_while(|line| !line.is_empty());
            header.filter_map(|line| line.strip_prefix(name)).find_map(|rest| rest.strip_prefix(": "))
        };
        // Without METADATA the directory's own name says the same: NAME-VERSION.dist-info.
        let fallback =
            base(directory).trim_end_matches(".dist-info").split_once('-').unwrap_or((base(directory), ""));
        let owner = Owner {
            manager: Manager::Pip,
            name: field("Name").unwrap_or(fallback.0).to_owned(),
            version: field("Version").unwrap_or(fallback.1).to_owned(),
        };
        owners.extend(files.into_iter().map(|file| (file, owner.clone())));
    }
}

/// The first field of a line of RECORD, which is CSV.
fn record_path(line: &str) -> &str {
    match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once("\",").map_or(quoted, |(path, _)| path),
        None => line.split(',').next().unwrap_or(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installed_packages_have_versions() {
        let text = "Package: a\nStatus: install ok installed\nVersion: 1:2-3\n\nPackage: b\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: c\n";
        assert_eq!(parse_status(text), HashMap::from([("a", "1:2-3".to_owned())]));
    }

    #[test]
    fn record_paths_may_be_quoted() {
        assert_eq!(record_path("a/b.so,sha256=x,12"), "a/b.so");
        assert_eq!(record_path("\"a,b.so\",sha256=x,12"), "a,b.so");
        assert_eq!(record_path(""), "");
    }
}
