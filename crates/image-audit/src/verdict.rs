//! Decides what becomes of each copy, once, and what the image has of each library.
//!
//! *Redundant* is a promise: nothing in the image loads the copy, and everything that asks for its soname
//! gets another copy. All redundant copies can be deleted together. A copy without a known user and without a
//! replacement is *unreferenced*: it may be a plug-in.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::catalogue::{LIBRARIES, Library, unhashed};
use crate::census::{Census, Copy, Coverage, Origin};

/// What becomes of a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Something loads it, or an installed package requires it.
    Used,
    /// Nothing loads it, and everything that asks for its soname gets another copy. All redundant copies can
    /// be deleted together.
    Redundant,
    /// Nothing was seen to load it, but it may be a plug-in.
    #[default]
    Unreferenced,
    /// An object's own search path leads to it, but LD_LIBRARY_PATH overrides that with another copy.
    Shadowed,
    /// For linking only.
    Stub,
    /// Mounted by the container runtime, so not part of the image.
    Injected,
}

impl Verdict {
    /// In lower case, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Used => "used",
            Verdict::Redundant => "redundant",
            Verdict::Unreferenced => "unreferenced",
            Verdict::Shadowed => "shadowed",
            Verdict::Stub => "stub",
            Verdict::Injected => "injected",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.pad(self.name())
    }
}

/// What one image has of a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The image has it.
    Present,
    /// An object asks for it and nothing provides it.
    Missing,
    /// The image has it, and copies of it that nothing loads.
    Redundant,
    /// The image does not have it, and nothing needs it.
    NotNeeded,
    /// A library of the driver, which the container runtime mounts.
    Injected,
}

impl Census {
    /// Sets the verdict of every copy, from everything else in the census.
    pub fn decide(&mut self) {
        let verdicts: Vec<Verdict> = self.copies.iter().map(|copy| self.verdict(copy)).collect();
        for (copy, verdict) in self.copies.iter_mut().zip(verdicts) {
            copy.verdict = verdict;
        }
    }

    /// What the image has of a library. `at_rest`: the image is not running, so the driver is not mounted
    /// yet.
    pub fn status(&self, library: &Library, at_rest: bool) -> Status {
        let has = |verdict| self.copies_with(verdict).any(|copy| copy.library == library.name);
        let mut asked = self.missing.iter().chain(&self.missing_opened);
        let missing = asked.any(|missing| missing.library == library.name);
        let optional = self.missing_optional.iter().any(|missing| missing.library == library.name);
        let without_driver = library.driver && !has(Verdict::Used) && (optional || missing);
        if library.driver && has(Verdict::Injected) || at_rest && without_driver {
            Status::Injected
        } else if without_driver || missing && !has(Verdict::Used) {
            Status::Missing
        } else if has(Verdict::Redundant) {
            Status::Redundant
        } else if [Verdict::Used, Verdict::Unreferenced, Verdict::Shadowed].into_iter().any(has) {
            Status::Present
        } else {
            Status::NotNeeded
        }
    }

    /// The libraries that a report lists: common ones always, others only if present or missing.
    pub fn shown(&self, at_rest: bool) -> impl Iterator<Item = (&'static Library, Status)> {
        let all = LIBRARIES.iter().map(move |library| (library, self.status(library, at_rest)));
        all.filter(|(library, status)| library.common || *status != Status::NotNeeded)
    }

    fn verdict(&self, copy: &Copy) -> Verdict {
        match copy.origin {
            Origin::Stub => return Verdict::Stub,
            Origin::Injected => return Verdict::Injected,
            _ => {}
        }
        if copy.reached {
            return Verdict::Used;
        }
        if self.shadows.iter().any(|shadow| shadow.meant == copy.path) {
            return Verdict::Shadowed;
        }
        if copy.required {
            return Verdict::Used;
        }
        if copy.kept {
            return Verdict::Unreferenced;
        }
        let Some(soname) = copy.soname.as_deref() else { return Verdict::Unreferenced };
        let plain = unhashed(soname);
        let twin = |other: &Copy| {
            let same = |other: &str| other == soname || plain != soname && unhashed(other) == plain;
            other.reached && other.soname.as_deref().is_some_and(same)
        };
        // The promise requires that all programs, and all names that they load by, are known.
        if self.full && self.coverage == Coverage::Complete && self.copies.iter().any(twin) {
            Verdict::Redundant
        } else {
            Verdict::Unreferenced
        }
    }
}
