//! cuBLAS does not initialise.

use crate::checks::{Check, Outcome};
use crate::checks::math::of_stages;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.cublas-init",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "cuBLAS does not initialise",
    why: "cublasCreate needs memory for its workspace, and device code for this GPU in the library.",
    remedy: "Free GPU memory. If there is enough, the library is of another release than cuBLASLt, or too old for \
             this GPU.",
    explains: &[],
    codes: &[(Family::Cublas, 1)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    of_stages(facts, &[Stage::BlasInit])
}
