//! Wheels or installers lie in the image.

use crate::checks::{Check, Outcome};
use crate::checks::leftovers::{WHEELS, sum};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "leftovers.wheels",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Wheels or installers lie in the image",
    why: "What they brought is installed; they themselves are never read again.",
    remedy: "RUN --mount=type=bind,from=build,source=/wheels,target=/wheels pip install --no-index \
             --find-links=/wheels ...",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    sum(facts, WHEELS)
}
