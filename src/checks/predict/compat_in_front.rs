//! The compatibility driver of the image is in the way on this machine.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::codes::Family;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.compat-in-front",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The compatibility driver of the image is in the way on this machine",
    why: "LD_LIBRARY_PATH puts cuda-compat's libcuda in front of the machine's. It works on GPUs for data centres \
          alone, in place of the drivers that it was made for, and never of a newer one: elsewhere CUDA fails with \
          803 or 804.",
    remedy: "Take the compat directory out of ENV LD_LIBRARY_PATH: the container runtime chooses it where it helps",
    explains: &[],
    codes: &[
        (Family::Driver, 803),
        (Family::Driver, 804),
        (Family::Runtime, 803),
        (Family::Runtime, 804),
    ],
    judge: |facts| found(facts, "predict.compat-in-front"),
};
