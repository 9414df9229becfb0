//! The image has no code for the machine's GPU.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::codes::Family;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.no-code",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image has no code for the machine's GPU",
    why: "Compiled code runs on GPUs of the same major compute capability and at least the same minor one; PTX can \
          be compiled for newer ones. With neither, the first kernel fails with 209: no kernel image is available.",
    remedy: "Install a release of the framework that was built for this GPU, or build it with TORCH_CUDA_ARCH_LIST",
    explains: &[],
    codes: &[(Family::Driver, 209), (Family::Runtime, 209)],
    judge: |facts| found(facts, "predict.no-code"),
};
