//! The machine's driver is too old for the image's CUDA.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::codes::Family;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.driver-too-old",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The machine's driver is too old for the image's CUDA",
    why: "A program that was built with one major version of CUDA needs a driver of that version or a newer one. \
          Its first call ends with error 35. A cuda-compat package in the image helps on GPUs for data centres, in \
          place of the drivers that it names.",
    remedy: "Install a newer driver on the machine, or use an image that was built for the CUDA of its driver",
    explains: &[],
    codes: &[(Family::Runtime, 35)],
    judge: |facts| found(facts, "predict.driver-too-old"),
};
