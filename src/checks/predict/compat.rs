//! The image works on this machine with the compatibility driver that it brings.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.compat",
    severity: Severity::Note,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The image works on this machine with the compatibility driver that it brings",
    why: "cuda-compat's libcuda takes the place of the machine's older one, on GPUs for data centres. Which drivers \
          it stands in for, it says itself, in a note of its ELF file.",
    remedy: "Nothing to do, where the NVIDIA container runtime puts it in place by itself; see that it does: cudacheck",
    explains: &[],
    codes: &[],
    judge: |facts| found(facts, "predict.compat"),
};
