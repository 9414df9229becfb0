//! The machine does not meet what the image requires.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.requirement",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The machine does not meet what the image requires",
    why: "NVIDIA_REQUIRE_CUDA names the drivers and GPUs that the image was made for. nvidia-container-cli reads it \
          and refuses to start the container: unsatisfied condition.",
    remedy: "Install a newer driver on the machine; or, where minor-version compatibility is enough, run with \
             -e NVIDIA_DISABLE_REQUIRE=1",
    explains: &[],
    codes: &[],
    judge: |facts| found(facts, "predict.requirement"),
};
