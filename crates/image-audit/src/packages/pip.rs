//! Python packages: RECORD and METADATA in `*.dist-info`, written by pip, uv and others.

use super::package::Package;
use super::places::base;
use crate::tree::Tree;

/// Calls `take` for each package, with the directory that its paths are relative to.
pub fn each(tree: &Tree, take: &mut dyn FnMut(&str, Package)) {
    let records = tree.files.keys().filter_map(|path| path.strip_suffix("/RECORD"));
    for directory in records.filter(|directory| directory.ends_with(".dist-info")) {
        let site = directory.rsplit_once('/').map_or("", |(site, _)| site);
        let Some(record) = tree.read_text(&format!("{directory}/RECORD")) else { continue };
        let metadata = tree.read_text(&format!("{directory}/METADATA")).unwrap_or_default();
        let field = |name: &str| {
            let header = metadata.lines().take_while(|line| !line.is_empty());
            header.filter_map(|line| line.strip_prefix(name)).find_map(|rest| rest.strip_prefix(": "))
        };
        // The directory is named NAME-VERSION.dist-info.
        let own = base(directory).trim_end_matches(".dist-info");
        let fallback = own.split_once('-').unwrap_or((own, ""));
        let package = Package {
            name: field("Name").unwrap_or(fallback.0).to_owned(),
            version: field("Version").unwrap_or(fallback.1).to_owned(),
            files: record.lines().map(|line| path(line).to_owned()).collect(),
        };
        take(site, package);
    }
}

/// The first field of a line of RECORD, which is CSV.
fn path(line: &str) -> &str {
    match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once("\",").map_or(quoted, |(path, _)| path),
        None => line.split(',').next().unwrap_or(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_may_be_quoted() {
        assert_eq!(path("a/b.so,sha256=x,12"), "a/b.so");
        assert_eq!(path("\"a,b.so\",sha256=x,12"), "a,b.so");
        assert_eq!(path(""), "");
    }
}
