//! No GPU was verified.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::{Facts, gpu_selection};
use crate::facts::probe::ProbeRun;
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "probe.nothing-verified",
    severity: Severity::Unknown,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "No GPU was verified",
    why: "No probe reported a fault, and none reported a GPU that works: that is not healthy.",
    remedy: "Run cudacheck --format json and look at the stages.",
    explains: &[],
    codes: &[],
    judge,
};

/// The net under everything: something was asked for, nothing failed, nothing passed.
fn judge(facts: &Facts) -> Outcome {
    if facts.request.level == Level::Image {
        return Outcome::Skip("nothing was to be run");
    }
    let seen = |run: &ProbeRun| match facts.request.level {
        Level::Nvml => run.nvml_devices().any(|gpu| gpu_selection::chosen(facts, gpu).is_some()),
        _ => run.devices().any(|device| gpu_selection::is_named(facts, device)),
    };
    if facts.probes.iter().any(seen) {
        return Outcome::Pass;
    }
    Some(Problem::new(format!("Level {} was asked for, and no GPU answered.", facts.request.level))).into()
}
