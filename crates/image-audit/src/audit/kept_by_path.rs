//! What only LD_LIBRARY_PATH keeps in use: the image is judged once more, without the directories whose copies override
//! others.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;
use super::take::describe;
use crate::census::{Census, KeptByPath, Missing};
use crate::loader::{Environment, Loader};
use crate::packages::PackageId;
use crate::packages::pip::Distribution;
use crate::paths;
use crate::tree::Tree;
use crate::usage::{AllMissing, Places, Users};
use crate::verdict::Verdict;

/// The copies that become redundant without those directories. None if there are none, or if anything would then be
/// missing.
pub fn kept_by_path(
    source: &Source,
    places: &Places,
    installed: &[Distribution],
    owners: &BTreeMap<String, PackageId>,
    census: &Census,
) -> Option<KeptByPath> {
    let tree = &source.tree;
    let before = source.environment.library_path.as_deref()?;
    let (directories, rest) = split(tree, before, census);
    if directories.is_empty() {
        return None;
    }
    let library_path = (!rest.is_empty()).then(|| rest.join(":"));
    let environment = Environment { library_path: library_path.clone(), ..source.environment.clone() };
    let loader = Loader::new(tree, environment);
    let mut users = Users::new(tree, &loader, places, installed);
    users.follow_needs();
    users.follow_names();
    users.keep_rest();
    let AllMissing { linked, alternatives, opened, optional } = users.missing();
    let lacks = [&linked, &alternatives, &opened, &optional];
    let lacked =
        [&census.missing, &census.missing_alternatives, &census.missing_opened, &census.missing_optional];
    let has_gaps = users.version_gaps.iter().any(|gap| !census.version_gaps.contains(gap));
    if has_gaps || !requests(lacks).is_subset(&requests(lacked)) {
        return None;
    }
    let mut after = Census {
        full: census.full,
        coverage: census.coverage,
        copies: describe(tree, &users, owners, &source.mounts),
        shadows: users.shadows.into_iter().collect(),
        ..Census::default()
    };
    after.decide();
    let redundant: BTreeSet<&str> =
        census.copies_with(Verdict::Redundant).map(|copy| copy.path.as_str()).collect();
    let freed = after.copies_with(Verdict::Redundant).map(|copy| copy.path.clone());
    let copies: Vec<String> = freed.filter(|path| !redundant.contains(path.as_str())).collect();
    (!copies.is_empty()).then_some(KeptByPath { directories, library_path, copies })
}

/// The directories of LD_LIBRARY_PATH with copies that override others, and the rest of them.
fn split(tree: &Tree, library_path: &str, census: &Census) -> (Vec<String>, Vec<String>) {
    let winners: BTreeSet<&str> =
        census.shadows.iter().filter_map(|shadow| Some(paths::split(&shadow.winner)?.0)).collect();
    let entries = library_path.split([':', ';']).map(str::to_owned);
    // An empty entry is the working directory.
    entries.partition(|entry| {
        entry.starts_with('/') && tree.resolve(entry).is_some_and(|real| winners.contains(real.as_str()))
    })
}

/// What is asked for and not found, and by whom.
fn requests<'a>(lists: [&'a Vec<Missing>; 4]) -> BTreeSet<(&'a str, &'a str)> {
    let by = |missing: &'a Missing| missing.by.iter().map(|by| (missing.soname.as_str(), by.as_str()));
    lists.into_iter().flatten().flat_map(by).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::take::take;
    use crate::elf::Elf;
    use crate::tree::File;
    use std::iter;
    use std::time::Instant;

    const SITE: &str = "/usr/lib/python3/dist-packages";
    const TOOLKIT: &str = "/usr/local/cuda/lib64";

    fn library(soname: &str, needed: &[&str], runpath: &str) -> Elf {
        Elf {
            machine: 62,
            dynamic: true,
            soname: Some(soname.to_owned()),
            needed: needed.iter().map(|name| name.to_string()).collect(),
            runpath: [runpath.to_owned()].into_iter().filter(|path| !path.is_empty()).collect(),
            ..Elf::default()
        }
    }

    /// torch, which finds cuBLAS beside it, an application, and a toolkit in front of both.
    fn kept(app: Elf, library_path: &str) -> Option<KeptByPath> {
        let wheel = format!("{SITE}/nvidia/cublas/lib");
        let torch = library("libtorch_cuda.so", &["libcublas.so.12"], "$ORIGIN/../../nvidia/cublas/lib");
        let files = [
            (format!("{SITE}/torch/lib/libtorch_cuda.so"), torch),
            (
                format!("{wheel}/libcublas.so.12"),
                library("libcublas.so.12", &["libcublasLt.so.12"], "$ORIGIN"),
            ),
            (format!("{wheel}/libcublasLt.so.12"), library("libcublasLt.so.12", &[], "")),
            (
                format!("{TOOLKIT}/libcublas.so.12"),
                library("libcublas.so.12", &["libcublasLt.so.12"], "$ORIGIN"),
            ),
            (format!("{TOOLKIT}/libcublasLt.so.12"), library("libcublasLt.so.12", &[], "")),
            ("/app/libapp.so".to_owned(), app),
        ];
        let file = |(number, (path, elf)): (usize, (String, Elf))| {
            (path, File { bytes: 1, identity: (1, number as u64), elf: Some(Box::new(elf)) })
        };
        let source = Source {
            tree: Tree::with(files.into_iter().enumerate().map(file), iter::empty()),
            image: None,
            environment: Environment {
                library_path: Some(library_path.to_owned()),
                ..Environment::default()
            },
            root: String::new(),
            mounts: Vec::new(),
            full: true,
            start: Instant::now(),
        };
        take(&source).kept_by_path
    }

    #[test]
    fn copies_that_only_the_variable_keeps_in_use() {
        let other = library("libapp.so", &[], "");
        let found = kept(other, "/opt/lib:/usr/local/cuda/lib64/").unwrap();
        assert_eq!(found.directories, [format!("{TOOLKIT}/")]);
        assert_eq!(found.library_path.as_deref(), Some("/opt/lib"), "what overrides nothing stays");
        let names = ["libcublas.so.12", "libcublasLt.so.12"];
        assert_eq!(found.copies, names.map(|name| format!("{TOOLKIT}/{name}")));
    }

    #[test]
    fn a_program_without_a_search_path_needs_the_variable() {
        assert_eq!(kept(library("libapp.so", &["libcublas.so.12"], ""), TOOLKIT), None);
    }

    #[test]
    fn without_overridden_copies_there_is_nothing_to_gain() {
        assert_eq!(kept(library("libapp.so", &[], ""), "/opt/lib"), None);
    }
}
