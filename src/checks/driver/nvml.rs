//! NVML does not work, which CUDA does not need.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::driver::nvml_fault;
use crate::checks::shared::faults::phrase;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "driver.nvml",
    severity: Severity::Warning,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "NVML does not work, which CUDA does not need",
    why: "NVML tells the health of a GPU: ECC, temperature, throttling, free memory. It belongs to the capability \
          'utility'. Without it CUDA works all the same, and cudacheck cannot see whether the GPU is busy.",
    remedy: "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...",
    explains: &[],
    codes: &[(Family::Nvml, 12)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.request.level == Level::Nvml {
        return Outcome::Skip("driver.nvml-failed speaks of it");
    }
    nvml_fault(facts).map(|fault| Problem::new(phrase(fault))).into()
}
