//! The GPU needs the open kernel module.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.module-not-said",
    severity: Severity::Note,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The GPU needs the open kernel module",
    why: "Since Blackwell NVIDIA's closed kernel module does not support new GPUs. Which one the machine has was not \
          said.",
    remedy: "Look on the machine: `cat /proc/driver/nvidia/version` says Open Kernel Module",
    explains: &[],
    codes: &[],
    judge: |facts| found(facts, "predict.module-not-said"),
};
