//! What the audit of the image could not read.

use image_audit::census::Unreadable;

use crate::model::Evidence;

/// A line of evidence, with the file that it is about.
pub fn evidence(unreadable: &Unreadable) -> Evidence {
    Evidence { text: unreadable.to_string(), path: unreadable.path.clone() }
}
