//! The machine's driver is older than its GPU.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::codes::Family;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.gpu-too-new",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The machine's driver is older than its GPU",
    why: "A driver knows the GPUs that existed when it was made. Of a newer one it lists nothing, whatever the \
          image brings.",
    remedy: "Install a newer driver on the machine",
    explains: &[],
    codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
    judge: |facts| found(facts, "predict.gpu-too-new"),
};
