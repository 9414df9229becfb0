//! The CUDA libraries that objects with device code are linked to and do not get, and which of the objects load.

use std::collections::{HashMap, HashSet};

use crate::facts::Facts;
use image_audit::catalogue::LIBRARIES;
use image_audit::census::{CodeObject, Copy, Framework, Missing, Origin};

/// What the loader does for an object, from best to worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Loads {
    Yes,
    /// If the program loads the libraries first: the image has them elsewhere.
    Perhaps,
    No,
}

/// The objects that can be loaded. Of objects that differ in numbers only, such as one library for each CUDA, a program
/// loads one: those that lack more than another one do not count.
pub fn loadable<'a>(facts: &Facts, framework: &'a Framework) -> Vec<&'a CodeObject> {
    let mut lacking: HashMap<&str, Loads> = HashMap::new();
    for missing in of_image(facts).chain(&facts.census.missing_alternatives) {
        let loads = if is_elsewhere(facts, missing) { Loads::Perhaps } else { Loads::No };
        for by in &missing.by {
            let known = lacking.entry(by).or_insert(loads);
            *known = loads.max(*known);
        }
    }
    let loads = |object: &CodeObject| lacking.get(object.path.as_str()).copied().unwrap_or(Loads::Yes);
    let mut best: HashMap<String, Loads> = HashMap::new();
    for object in &framework.objects {
        let known = best.entry(without_digits(&object.path)).or_insert(Loads::No);
        *known = loads(object).min(*known);
    }
    let is_best = |object: &&CodeObject| best.get(&without_digits(&object.path)) == Some(&loads(object));
    framework.objects.iter().filter(is_best).collect()
}

/// The libraries that loadable objects need and the loader does not find, each with the first such object. The driver's
/// are mounted. Objects without device code may be plugins that nobody loads.
pub fn missing<'a>(facts: &'a Facts, framework: &'a Framework) -> Vec<(&'a Missing, &'a str)> {
    let objects = paths(facts, framework);
    of_image(facts).filter_map(|missing| Some((missing, first(missing, &objects)?))).collect()
}

/// The libraries that loadable objects open by name and the loader does not find, of those that nothing runs without:
/// cuBLAS and what else has the number of its CUDA in its soname. A program that names several releases tries them.
pub fn opened<'a>(facts: &'a Facts, framework: &'a Framework) -> Vec<(&'a Missing, &'a str)> {
    let objects = paths(facts, framework);
    let census = &facts.census;
    let found: Vec<(&Missing, &str)> = census
        .missing_opened
        .iter()
        .chain(&census.missing_optional)
        .filter(|missing| cuda_of(&missing.library, &missing.soname).is_some())
        .filter_map(|missing| Some((missing, first(missing, &objects)?)))
        .collect();
    let mut releases = found.iter().map(|(missing, _)| cuda_of(&missing.library, &missing.soname));
    let first = releases.next();
    if releases.all(|other| Some(other) == first) { found } else { Vec::new() }
}

/// Libraries whose soname ends with the major version of their CUDA, such as libcublas.so.12. A program with a static
/// runtime was built with the headers of the libraries that it loads, so with that CUDA.
pub const NUMBERED: [&str; 5] = ["libcudart", "libcublas", "libcublasLt", "libnvrtc", "libnvJitLink"];

/// `12` of libcublas.so.12.
pub fn cuda_of(library: &str, soname: &str) -> Option<u32> {
    let number = soname.split_once(".so.").filter(|_| NUMBERED.contains(&library))?.1;
    number.split('.').next()?.parse().ok()
}

/// Whether the image has a copy with the soname, where the loader does not look.
pub fn is_elsewhere(facts: &Facts, missing: &Missing) -> bool {
    copies(facts).any(|copy| copy.soname.as_ref() == Some(&missing.soname))
}

/// Copies that can be loaded.
pub fn copies(facts: &Facts) -> impl Iterator<Item = &Copy> {
    facts
        .census
        .copies
        .iter()
        .filter(|copy| copy.bytes > 0 && !matches!(copy.origin, Origin::Stub | Origin::Injected))
}

/// The same for `libbitsandbytes_cuda118.so` and `libbitsandbytes_cuda128.so`.
pub fn without_digits(path: &str) -> String {
    path.replace(|c: char| c.is_ascii_digit(), "")
}

fn paths<'a>(facts: &Facts, framework: &'a Framework) -> HashSet<&'a str> {
    loadable(facts, framework).into_iter().map(|object| object.path.as_str()).collect()
}

fn first<'a>(missing: &'a Missing, objects: &HashSet<&str>) -> Option<&'a str> {
    missing.by.iter().map(String::as_str).find(|by| objects.contains(by))
}

fn of_image(facts: &Facts) -> impl Iterator<Item = &Missing> {
    let driver = |library: &str| LIBRARIES.iter().any(|known| known.name == library && known.driver);
    // What a documented call loads is a warning about the image.
    let absent = move |missing: &&Missing| !driver(&missing.library) && missing.on_request.is_none();
    facts.census.missing.iter().filter(absent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, copy};

    const OLD: &str = "/site/b/lib_cuda118.so";
    const NEW: &str = "/site/b/lib_cuda128.so";

    fn lacking(entries: &[(&str, &str, &[&str])]) -> Facts {
        let mut facts = Sample::image().facts();
        let entry = |(library, soname, by): &(&str, &str, &[&str])| Missing {
            library: library.to_string(),
            soname: soname.to_string(),
            by: by.iter().map(|by| by.to_string()).collect(),
            ..Missing::default()
        };
        facts.census.missing = entries.iter().map(entry).collect();
        let objects =
            [OLD, NEW].map(|path| CodeObject { path: path.into(), device_code: Vec::new() }).to_vec();
        let framework = Framework { name: "b".into(), version: None, objects, uses: Vec::new() };
        facts.census.frameworks = vec![framework];
        facts
    }

    fn sonames(facts: &Facts) -> Vec<&str> {
        missing(facts, &facts.census.frameworks[0]).into_iter().map(|(one, _)| one.soname.as_str()).collect()
    }

    #[test]
    fn needs_of_objects_with_code_count() {
        let facts = lacking(&[
            ("libcudart", "libcudart.so.13", &[OLD, NEW]),
            ("libcuda", "libcuda.so.1", &[OLD, NEW]),
            ("libnvinfer", "libnvinfer.so.10", &["/site/b/plugin.so"]),
        ]);
        assert_eq!(sonames(&facts), ["libcudart.so.13"]);
    }

    #[test]
    fn one_of_several_alternatives_is_enough() {
        let facts = lacking(&[("libcudart", "libcudart.so.11.0", &[OLD])]);
        assert_eq!(sonames(&facts), [""; 0]);
        let loadable = loadable(&facts, &facts.census.frameworks[0]);
        assert_eq!(loadable.iter().map(|object| object.path.as_str()).collect::<Vec<_>>(), [NEW]);
    }

    #[test]
    fn names_of_one_release_are_opened() {
        let opened = |entries: &[(&str, &str)]| -> Vec<String> {
            let with_by: Vec<(&str, &str, &[&str])> =
                entries.iter().map(|(library, soname)| (*library, *soname, &[NEW][..])).collect();
            let mut facts = lacking(&with_by);
            facts.census.missing_optional = std::mem::take(&mut facts.census.missing);
            let found = super::opened(&facts, &facts.census.frameworks[0]);
            found.into_iter().map(|(missing, _)| missing.soname.clone()).collect()
        };
        let (old, new) = (("libcublas", "libcublas.so.12"), ("libcublas", "libcublas.so.13"));
        assert_eq!(opened(&[old, ("libcudnn", "libcudnn.so.9")]), ["libcublas.so.12"]);
        assert_eq!(opened(&[old, new]), [""; 0], "one of the two is enough");
        assert_eq!(opened(&[("libcublas", "libcublas.so")]), [""; 0], "of no release");
    }

    #[test]
    fn a_copy_elsewhere_is_better_than_none() {
        let mut facts =
            lacking(&[("libcublas", "libcublas.so.11", &[OLD]), ("libcublas", "libcublas.so.12", &[NEW])]);
        assert_eq!(sonames(&facts), ["libcublas.so.11", "libcublas.so.12"]);
        facts.census.copies.push(copy("libcublas", "/site/nvidia/libcublas.so.12", "12.8.4.1"));
        assert_eq!(sonames(&facts), ["libcublas.so.12"]);
    }
}
