//! The driver cannot read PTX of this version.

use crate::checks::{Check, Outcome};
use crate::checks::device::of_stage;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "device.ptx-too-new",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The driver cannot read PTX of this version",
    why: "Each release of CUDA writes PTX of a newer version, and a driver compiles what it knows. Compiled code for \
          the GPU runs with an older driver of the same major version, PTX does not.",
    remedy: "Upgrade the driver on the host, or use a build that has compiled code for this GPU (TORCH_CUDA_ARCH_LIST)",
    explains: &["device.jit"],
    codes: &[(Family::Driver, 222), (Family::Runtime, 222)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    of_stage(facts, Stage::Jit, |fault| fault.code == Some(222))
}
