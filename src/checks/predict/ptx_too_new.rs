//! The image has only PTX for this GPU, and the machine's driver is older than it.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::codes::Family;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.ptx-too-new",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The image has only PTX for this GPU, and the machine's driver is older than it",
    why: "PTX is compiled by the driver, which takes PTX of its own CUDA or an older one. Newer PTX fails with 222, \
          also inside one major version, where compiled code would run.",
    remedy: "Install a driver of the image's CUDA or newer, or a build with compiled code for this GPU",
    explains: &[],
    codes: &[(Family::Driver, 222), (Family::Runtime, 222)],
    judge: |facts| found(facts, "predict.ptx-too-new"),
};
