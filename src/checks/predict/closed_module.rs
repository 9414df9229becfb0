//! The GPU needs the open kernel module, and the machine has the closed one.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.closed-module",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The GPU needs the open kernel module, and the machine has the closed one",
    why: "Since Blackwell NVIDIA's closed kernel module does not support new GPUs.",
    remedy: "Install the open kernel module on the machine (packages nvidia-open or nvidia-driver-NNN-open)",
    explains: &[],
    codes: &[],
    judge: |facts| found(facts, "predict.closed-module"),
};
