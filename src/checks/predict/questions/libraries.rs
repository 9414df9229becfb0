//! Does the image have the CUDA libraries that an installation is linked to?

use std::fmt;

use super::asked::Asked;
use crate::checks::code::own::are_alternatives;
use crate::facts::Facts;
use image_audit::catalogue::LIBRARIES;
use image_audit::census::{Copy, Framework, Missing, Origin};

pub enum Answer<'a> {
    All,
    /// With the first object that needs each.
    Missing(Vec<(&'a Missing, &'a str)>),
    /// The loader does not find them, but the image has copies, which the program may load first.
    Elsewhere(Vec<(&'a Missing, &'a str)>),
    /// There is no installation to ask about.
    Nothing,
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Answer::All => write!(out, "all"),
            Answer::Missing(missing) => {
                write!(out, "no {}", missing.first().map_or("", |(first, _)| &first.soname))
            }
            Answer::Elsewhere(missing) => {
                write!(out, "{} ?", missing.first().map_or("", |(first, _)| &first.soname))
            }
            Answer::Nothing => write!(out, "-"),
        }
    }
}

pub fn ask<'a>(asked: &Asked<'a>) -> Answer<'a> {
    let Some(framework) = asked.frameworks.first() else { return Answer::Nothing };
    let has_copy = |(missing, _): &(&Missing, &str)| {
        copies(asked.facts).any(|copy| copy.soname.as_deref() == Some(&missing.soname))
    };
    let (elsewhere, missing): (Vec<_>, Vec<_>) =
        missing(asked.facts, framework).into_iter().partition(has_copy);
    match (missing.is_empty(), elsewhere.is_empty()) {
        (false, _) => Answer::Missing(missing),
        (true, false) => Answer::Elsewhere(elsewhere),
        (true, true) => Answer::All,
    }
}

impl Answer<'_> {
    /// How bad it is; the worst installation decides.
    pub fn rank(&self) -> u32 {
        match self {
            Answer::All | Answer::Nothing => 0,
            Answer::Elsewhere(_) => 1,
            Answer::Missing(_) => 2,
        }
    }
}

/// Copies that can be loaded.
pub fn copies(facts: &Facts) -> impl Iterator<Item = &Copy> {
    facts
        .census
        .copies
        .iter()
        .filter(|copy| copy.bytes > 0 && !matches!(copy.origin, Origin::Stub | Origin::Injected))
}

/// The libraries that objects with device code need and the image does not have. The driver's are mounted. Other objects
/// may be plugins that nobody loads; and of objects that differ in a number only (one for each CUDA), the one that loads
/// is enough.
pub fn missing<'a>(facts: &'a Facts, framework: &'a Framework) -> Vec<(&'a Missing, &'a str)> {
    let driver = |library: &str| LIBRARIES.iter().any(|known| known.name == library && known.driver);
    let missing: Vec<&Missing> =
        facts.census.missing.iter().filter(|missing| !driver(&missing.library)).collect();
    let loads = |path: &str| !missing.iter().any(|missing| missing.by.iter().any(|by| by == path));
    let objects = || framework.objects.iter().map(|object| object.path.as_str());
    let stuck: Vec<&str> = objects()
        .filter(|path| !objects().any(|other| loads(other) && are_alternatives(path, other)))
        .collect();
    let by = |missing: &'a Missing| {
        missing.by.iter().map(String::as_str).find(|by| stuck.contains(by)).map(|by| (missing, by))
    };
    missing.into_iter().filter_map(by).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{TORCH, image};
    use image_audit::census::CodeObject;

    fn sonames(facts: &Facts) -> Vec<&str> {
        missing(facts, &facts.census.frameworks[0]).into_iter().map(|(one, _)| one.soname.as_str()).collect()
    }

    fn lacking(entries: &[(&str, &str, &str)]) -> Facts {
        let mut facts = image(&["sm_90"], Some("12.4.127"));
        let entry = |(library, soname, by): &(&str, &str, &str)| Missing {
            library: library.to_string(),
            soname: soname.to_string(),
            by: vec![by.to_string()],
        };
        facts.census.missing = entries.iter().map(entry).collect();
        facts
    }

    #[test]
    fn needs_of_objects_with_code_count() {
        let facts = lacking(&[
            ("libcudart", "libcudart.so.13", TORCH),
            ("libcuda", "libcuda.so.1", TORCH),
            ("libnvinfer", "libnvinfer.so.10", "/site/torch/lib/plugin.so"),
        ]);
        assert_eq!(sonames(&facts), ["libcudart.so.13"]);
    }

    #[test]
    fn one_of_several_alternatives_is_enough() {
        let (old, new) = ("/site/b/lib_cuda118.so", "/site/b/lib_cuda128.so");
        let mut facts = lacking(&[("libcudart", "libcudart.so.11.0", old)]);
        facts.census.frameworks[0].objects =
            [old, new].map(|path| CodeObject { path: path.into(), device_code: Vec::new() }).to_vec();
        assert_eq!(sonames(&facts), [""; 0]);
        facts.census.missing[0].by.push(new.to_owned());
        assert_eq!(sonames(&facts), ["libcudart.so.11.0"]);
    }
}
