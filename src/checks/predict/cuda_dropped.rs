//! The image's CUDA has dropped this GPU.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::codes::Family;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.cuda-dropped",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image's CUDA has dropped this GPU",
    why: "Each major version of CUDA leaves out the oldest GPUs: CUDA 12 begins with sm_50, CUDA 13 with sm_75. Its \
          compilers make no code for older ones, and its libraries have none.",
    remedy: "Use an image that was built with an older CUDA",
    explains: &[],
    codes: &[(Family::Driver, 209), (Family::Runtime, 209)],
    judge: |facts| found(facts, "predict.cuda-dropped"),
};
