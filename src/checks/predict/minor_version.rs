//! The image's CUDA is newer than the driver's, inside the same major version.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::codes::Family;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.minor-version",
    severity: Severity::Note,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The image's CUDA is newer than the driver's, inside the same major version",
    why: "Since CUDA 11 compiled code runs on every driver of the same major version. What is compiled to PTX when \
          the program runs (NVRTC, Triton) can fail with 222, and functions that are new in that CUDA are refused.",
    remedy: "Nothing to do, unless the program compiles PTX: then install a driver of the image's CUDA or newer",
    explains: &[],
    codes: &[(Family::Driver, 222), (Family::Runtime, 222)],
    judge: |facts| found(facts, "predict.minor-version"),
};
