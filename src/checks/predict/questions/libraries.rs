//! Does the image have the CUDA libraries that an installation is linked to?

use std::fmt;

use super::asked::Asked;
use crate::checks::code::needs;
use image_audit::census::Missing;

pub enum Answer<'a> {
    All,
    /// With the first object that needs each.
    Missing(Vec<(&'a Missing, &'a str)>),
    /// The loader does not find them, but the program may load copies first, or need not have what it opens by name.
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
    let missing = needs::missing(asked.facts, framework).into_iter();
    let (mut elsewhere, missing): (Vec<_>, Vec<_>) =
        missing.partition(|(missing, _)| needs::is_elsewhere(asked.facts, missing));
    // A name may be tried in vain, unless it is all that the object has of CUDA.
    if framework.uses.is_empty() {
        elsewhere.extend(needs::opened(asked.facts, framework));
    }
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
