//! Python packages: RECORD and METADATA in `*.dist-info`, written by pip, uv and others.

use crate::paths;
use crate::tree::Tree;

/// An installed Python package.
#[derive(Debug)]
pub struct Distribution {
    pub name: String,
    pub version: String,
    /// Path of its METADATA.
    pub metadata: String,
    /// The directory that it is installed in, and that its paths are relative to.
    pub site: String,
    /// Paths in RECORD.
    pub files: Vec<String>,
    pub requires: Vec<Requirement>,
}

/// A line `Requires-Dist` of METADATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// [Normalized](normalized).
    pub name: String,
    /// Such as `==12.9.*`; empty if any version will do.
    pub version: String,
    /// Extras of the required package, such as `cudart` in `cuda-toolkit[cudart]`.
    pub extras: Vec<String>,
    /// The extra of the requiring package that asks for it.
    pub only_with: Option<String>,
}

/// All installed packages.
pub fn installed(tree: &Tree) -> Vec<Distribution> {
    let records = tree.files.keys().filter_map(|path| path.strip_suffix("/RECORD"));
    let directories = records.filter(|directory| directory.ends_with(".dist-info"));
    directories.filter_map(|directory| read(tree, directory)).collect()
}

fn read(tree: &Tree, directory: &str) -> Option<Distribution> {
    let record = tree.read_text(&format!("{directory}/RECORD"))?;
    let path = format!("{directory}/METADATA");
    let metadata = tree.read_text(&path).unwrap_or_default();
    let header = || metadata.lines().take_while(|line| !line.is_empty());
    let fields =
        |name: &'static str| header().filter_map(move |line| line.strip_prefix(name)?.strip_prefix(": "));
    // The directory is named NAME-VERSION.dist-info.
    let own = paths::name(directory).trim_end_matches(".dist-info");
    let fallback = own.split_once('-').unwrap_or((own, ""));
    Some(Distribution {
        name: fields("Name").next().unwrap_or(fallback.0).to_owned(),
        version: fields("Version").next().unwrap_or(fallback.1).to_owned(),
        metadata: path,
        site: paths::directory(directory).to_owned(),
        files: record.lines().map(|line| file(line).to_owned()).collect(),
        requires: fields("Requires-Dist").filter_map(requirement).collect(),
    })
}

/// The first field of a line of RECORD, which is CSV.
fn file(line: &str) -> &str {
    match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once("\",").map_or(quoted, |(path, _)| path),
        None => line.split(',').next().unwrap_or(line),
    }
}

/// `name[extra,extra] (>=1,<2) ; extra == "gpu"`.
fn requirement(line: &str) -> Option<Requirement> {
    let (what, marker) = line.split_once(';').unwrap_or((line, ""));
    let what = what.trim();
    let end = what.find(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c)).unwrap_or(what.len());
    let (name, rest) = what.split_at(end);
    let with_extras = rest.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (extras, version) = with_extras.unwrap_or(("", rest));
    let extras = extras.split(',').map(str::trim);
    let version = version.trim().trim_start_matches('(').trim_end_matches(')');
    let only_with = marker.split_once("extra").and_then(|(_, rest)| {
        let value = rest.trim_start().strip_prefix("==")?.trim_start();
        value.split(['"', '\'']).nth(1)
    });
    (!name.is_empty()).then(|| Requirement {
        name: normalized(name),
        version: version.chars().filter(|c| !c.is_whitespace()).collect(),
        extras: extras.filter(|extra| !extra.is_empty()).map(normalized).collect(),
        only_with: only_with.map(normalized),
    })
}

/// Names that differ only in case and in `-`, `_` and `.` are the same.
pub fn normalized(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars().map(|c| if "-_.".contains(c) { '-' } else { c.to_ascii_lowercase() }) {
        if letter != '-' || !text.ends_with('-') {
            text.push(letter);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_may_be_quoted() {
        assert_eq!(file("a/b.so,sha256=x,12"), "a/b.so");
        assert_eq!(file("\"a,b.so\",sha256=x,12"), "a,b.so");
        assert_eq!(file(""), "");
    }

    #[test]
    fn requirements_without_versions() {
        let parsed = |line: &str| {
            requirement(line).map(|Requirement { name, version, extras, only_with }| {
                (name, version, extras.join(","), only_with.unwrap_or_default())
            })
        };
        let expected = |name: &str, version: &str, extras: &str, with: &str| {
            Some((name.to_owned(), version.to_owned(), extras.to_owned(), with.to_owned()))
        };
        assert_eq!(
            parsed("nvidia-cublas-cu12==12.9.3.*; sys_platform == 'linux'"),
            expected("nvidia-cublas-cu12", "==12.9.3.*", "", "")
        );
        assert_eq!(
            parsed("cuda_toolkit[cudart, nvcc] (>=13) ; extra == \"Cu_13\""),
            expected("cuda-toolkit", ">=13", "cudart,nvcc", "cu-13")
        );
        assert_eq!(parsed("a.b; python_version < '3' and extra=='x'"), expected("a-b", "", "", "x"));
        assert_eq!(parsed("torch"), expected("torch", "", "", ""));
        assert_eq!(parsed("; extra == 'x'"), None);
    }
}
