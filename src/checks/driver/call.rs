//! The driver refuses to describe its devices.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::faults::{faults, phrase};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "driver.call",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The driver refuses to describe its devices",
    why: "cuInit succeeded and a plain question after it failed.",
    remedy: "Look at `nvidia-smi` and `dmesg | grep -i -e xid -e nvrm` on the host.",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    faults(facts, Stage::Enumerate).map(|(_, fault)| Problem::new(phrase(fault))).collect::<Vec<_>>().into()
}
