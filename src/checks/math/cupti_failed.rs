//! CUPTI does not trace.

use crate::checks::{Check, Outcome};
use crate::checks::math::{has, of_stages};
use crate::checks::shared::faults::faults;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.cupti-failed",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "CUPTI does not trace",
    why: "Profilers (torch.profiler, Kineto, TensorFlow) see kernels through CUPTI's Activity API. Number 39 says \
          that another profiler is attached.",
    remedy: "Install the CUPTI of the image's CUDA release, and detach other profilers (CUDA_INJECTION64_PATH)",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if !has(facts, "libcupti") && faults(facts, Stage::Cupti).next().is_none() {
        return Outcome::Skip("there is no CUPTI in the image");
    }
    of_stages(facts, &[Stage::LoadCupti, Stage::Cupti])
}
