//! The driver cannot compile PTX.

use crate::checks::{Check, Outcome};
use crate::checks::device::of_stage;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "device.jit",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The driver cannot compile PTX",
    why: "cudacheck's kernel is PTX and is compiled by the driver (libnvidia-ptxjitcompiler). Applications that \
          bring PTX for newer GPUs need that too.",
    remedy: "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...   brings the compiler \
             beside libcuda; check that both have one version",
    explains: &[],
    codes: &[(Family::Driver, 218)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    of_stage(facts, Stage::Jit, |_| true)
}
