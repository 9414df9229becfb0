//! The machine's driver has dropped its GPU.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::codes::Family;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.gpu-too-old",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The machine's driver has dropped its GPU",
    why: "Drivers newer than 470 do not know Kepler, those newer than 580 do not know Maxwell, Pascal and Volta.",
    remedy: "Keep the machine on the last driver for its GPU, and use an image for the CUDA of that driver",
    explains: &[],
    codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
    judge: |facts| found(facts, "predict.gpu-too-old"),
};
