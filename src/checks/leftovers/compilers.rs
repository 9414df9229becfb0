//! Compilers are in the image.

use image_audit::leftovers::Kind;
use crate::checks::{Check, Outcome};
use crate::checks::leftovers::sum;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "leftovers.compilers",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Compilers are in the image",
    why: "They take space, and help whoever breaks in. torch.compile and Triton need a C compiler while they run.",
    remedy: "Install build-essential and the like in a build stage only",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    sum(facts, &[Kind::Compilers])
}
