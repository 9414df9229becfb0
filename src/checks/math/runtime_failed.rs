//! libcudart does not work, the driver does.

use crate::checks::{Check, Outcome};
use crate::checks::math::of_stages;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.runtime-failed",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "libcudart does not work, the driver does",
    why: "The driver's own interface works on this GPU, and the runtime above it fails.",
    remedy: "Compare the runtime's CUDA version with the driver's; install a matching one.",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    of_stages(facts, &[Stage::Runtime])
}
