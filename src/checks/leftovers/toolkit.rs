//! Tools for building CUDA programs are in the image.

use crate::checks::{Check, Outcome};
use crate::checks::leftovers::{TOOLKIT, sum};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "leftovers.toolkit",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Tools for building CUDA programs are in the image",
    why: "nvcc, headers, static libraries, profilers and samples are for building and analysing. A program that \
          only runs needs none of them, unless it compiles kernels while it runs.",
    remedy: "Build in a stage of its own (FROM nvidia/cuda:...-devel AS build) and COPY --from=build what runs",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    sum(facts, TOOLKIT)
}
