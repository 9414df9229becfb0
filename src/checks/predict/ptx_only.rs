//! The image has only PTX for the machine's GPU, so that its first start compiles.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.ptx-only",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image has only PTX for the machine's GPU, so that its first start compiles",
    why: "Without compiled code for its architecture the driver compiles PTX for the GPU when it is loaded. It takes \
          minutes, and is kept in a cache that a fresh container loses.",
    remedy: "Install a build of the framework with code for this GPU, or keep the cache: -e CUDA_CACHE_PATH=/cache \
             -v cuda-cache:/cache -e CUDA_CACHE_MAXSIZE=4294967296",
    explains: &[],
    codes: &[],
    judge: |facts| found(facts, "predict.ptx-only"),
};
