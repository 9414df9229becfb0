//! The GPU needs the closed kernel module, and the machine has the open one.

use crate::checks::Check;
use crate::checks::predict::found;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "predict.open-module",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The GPU needs the closed kernel module, and the machine has the open one",
    why: "The open kernel module begins with Turing (sm_75). Maxwell, Pascal and Volta have the closed one alone.",
    remedy: "Install the closed (proprietary) kernel module on the machine",
    explains: &[],
    codes: &[],
    judge: |facts| found(facts, "predict.open-module"),
};
