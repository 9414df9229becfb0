//! libcudart is in the image and does not load.

use crate::checks::{Check, Outcome};
use crate::checks::math::{has, of_stages};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.runtime-load",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "libcudart is in the image and does not load",
    why: "The application would fail in the same way: the loader names what it misses.",
    remedy: "Install the library that the message names",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if !has(facts, "libcudart") {
        return Outcome::Skip("there is no libcudart in the image");
    }
    of_stages(facts, &[Stage::LoadRuntime])
}
