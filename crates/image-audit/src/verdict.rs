//! What becomes of each copy, decided once: used, redundant, kept without a known user, shadowed.
//!
//! *Redundant* is a promise: nothing in the tree loads this copy, and another one of the same soname is loaded by
//! everything that asks for it. All redundant copies can be deleted together. A copy that nothing is seen to load,
//! and that nothing replaces, is *unreferenced*: it may be a plug-in.

use serde::{Deserialize, Serialize};

use super::catalogue::{LIBRARIES, Library, unhashed};
use super::census::{Census, Copy, Origin};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Used,
    /// Nothing loads it, and another copy of the same soname is loaded.
    Redundant,
    /// Nothing is seen to load it; a plug-in, perhaps.
    #[default]
    Unreferenced,
    /// An object means this one, and LD_LIBRARY_PATH puts another in its place.
    Shadowed,
    /// For linking only.
    Stub,
    /// Not the image's: the container runtime mounted it.
    Injected,
}

/// A library of the catalogue in one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Present,
    /// An object needs it and nothing provides it.
    Missing,
    /// There are copies that nothing loads because another one is loaded in their place.
    Redundant,
    NotNeeded,
    /// Not part of the image, as intended: the container runtime brings it.
    Injected,
}

impl Census {
    /// Decides about every copy. To be called when the census is complete otherwise.
    pub fn decide(&mut self) {
        let verdicts: Vec<Verdict> = self.copies.iter().map(|copy| self.verdict(copy)).collect();
        for (copy, verdict) in self.copies.iter_mut().zip(verdicts) {
            copy.verdict = verdict;
        }
    }

    /// The copies of one verdict.
    pub fn copies_with(&self, verdict: Verdict) -> impl Iterator<Item = &Copy> {
        self.copies.iter().filter(move |copy| copy.verdict == verdict)
    }

    /// What the image has of a library. In an image at rest nobody has injected the driver yet.
    pub fn status(&self, library: &Library, at_rest: bool) -> Status {
        let has = |verdict| self.copies_with(verdict).any(|copy| copy.library == library.name);
        let missing = self.missing.iter().any(|missing| missing.library == library.name);
        let wished = self.wished.iter().any(|wish| wish.library == library.name);
        let without_driver = library.driver && !has(Verdict::Used) && (wished || missing);
        if library.driver && has(Verdict::Injected) || at_rest && without_driver {
            Status::Injected
        } else if without_driver || missing {
            Status::Missing
        } else if has(Verdict::Redundant) {
            Status::Redundant
        } else if [Verdict::Used, Verdict::Unreferenced, Verdict::Shadowed].into_iter().any(has) {
            Status::Present
        } else {
            Status::NotNeeded
        }
    }

    /// The libraries that a report shows: the common ones always, the others where somebody has or wants them.
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
        if copy.kept {
            return Verdict::Unreferenced;
        }
        let Some(soname) = copy.soname.as_deref() else { return Verdict::Unreferenced };
        let plain = unhashed(soname);
        let twin = |other: &Copy| {
            let same = |other: &str| other == soname || plain != soname && unhashed(other) == plain;
            other.reached && other.soname.as_deref().is_some_and(same)
        };
        // A promise needs to know all programs, and all names that they load by.
        if self.full && !self.incomplete && self.copies.iter().any(twin) {
            Verdict::Redundant
        } else {
            Verdict::Unreferenced
        }
    }
}
