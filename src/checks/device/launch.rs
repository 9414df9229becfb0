//! A kernel does not run.

use crate::checks::{Check, Outcome};
use crate::checks::device::of_stage;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "device.launch",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A kernel does not run",
    why: "The kernel was compiled and its launch failed.",
    remedy: "Look at `dmesg | grep -i -e xid -e nvrm` on the host.",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    of_stage(facts, Stage::Launch, |_| true)
}
