//! The driver's PTX compiler is missing.

use crate::checks::{Check, Outcome};
use crate::checks::device::of_stage;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "device.jit-compiler",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The driver's PTX compiler is missing",
    why: "libcuda loads libnvidia-ptxjitcompiler.so.1 when it has to compile PTX. It belongs to the driver and must be \
          of its version; a mount of libcuda alone leaves it out.",
    remedy: "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...   brings all of the driver's \
             libraries; where they are mounted by hand, mount libnvidia-ptxjitcompiler.so.1 of the same version too",
    explains: &["device.jit"],
    codes: &[(Family::Driver, 221), (Family::Runtime, 221)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    of_stage(facts, Stage::Jit, |fault| fault.code == Some(221))
}
