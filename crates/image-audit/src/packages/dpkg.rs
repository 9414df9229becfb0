//! dpkg: `status` and the lists beside it, or `status.d` in distroless images.

use std::collections::HashMap;

use super::package::Package;
use super::places::{DPKG_INFO, DPKG_STATUS, DPKG_STATUS_D};
use crate::paths;
use crate::tree::Tree;

/// Calls `take` for each installed package.
pub fn each(tree: &Tree, take: &mut dyn FnMut(Package)) {
    let status = tree.read_text(DPKG_STATUS).unwrap_or_default();
    let versions = installed(&status);
    for list in tree.files_in(DPKG_INFO) {
        let Some(name) = paths::name(list).strip_suffix(".list") else { continue };
        let name = name.split(':').next().unwrap_or(name);
        let Some(version) = versions.get(name) else { continue };
        let Some(text) = tree.read_text(list) else { continue };
        let files = text.lines().map(str::to_owned).collect();
        take(Package { name: name.to_owned(), version: version.to_string(), files });
    }
    for control in tree.files_in(DPKG_STATUS_D).filter(|path| !path.ends_with(".md5sums")) {
        let Some(text) = tree.read_text(control) else { continue };
        let Some(version) = field(&text, "Version") else { continue };
        let name = field(&text, "Package").unwrap_or_else(|| paths::name(control));
        let sums = tree.read_text(&format!("{control}.md5sums")).unwrap_or_default();
        take(Package { name: name.to_owned(), version: version.to_owned(), files: summed(&sums) });
    }
}

/// Installed packages with their versions.
fn installed(status: &str) -> HashMap<&str, &str> {
    let stanza = |stanza| {
        field(stanza, "Status")?.ends_with(" installed").then_some(())?;
        Some((field(stanza, "Package")?, field(stanza, "Version")?))
    };
    status.split("\n\n").filter_map(stanza).collect()
}

fn field<'a>(stanza: &'a str, name: &str) -> Option<&'a str> {
    stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Paths of a checksum file, relative to the root.
fn summed(text: &str) -> Vec<String> {
    let path = |line: &str| Some(format!("/{}", line.split_once("  ")?.1.trim_start_matches("./")));
    text.lines().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_count() {
        let text = "Package: a\nStatus: install ok installed\nVersion: 1:2-3\n\nPackage: b\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: c\n";
        assert_eq!(installed(text), HashMap::from([("a", "1:2-3")]));
    }

    #[test]
    fn files_of_a_distroless_package() {
        assert_eq!(summed("0123  usr/lib/a b.so\nbroken\n45  ./etc/x\n"), ["/usr/lib/a b.so", "/etc/x"]);
    }
}
