//! Fewer GPUs than required.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::{Facts, gpu_selection};
use crate::facts::probe::ProbeRun;
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "driver.too-few",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "Fewer GPUs than required",
    why: "--require-gpus names how many GPUs must be there.",
    remedy: "Give the container more GPUs (docker run --gpus N ...), or lower --require-gpus.",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(required) = facts.request.require_gpus else {
        return Outcome::Skip("--require-gpus was not given");
    };
    let count = |run: &ProbeRun| match facts.request.level {
        // One of NVML's list that CUDA does not show, or that was not chosen, is none that this container has.
        Level::Nvml => run.nvml_devices().filter(|gpu| gpu_selection::chosen(facts, gpu).is_some()).count(),
        _ => run.devices().filter(|device| gpu_selection::is_named(facts, device)).count(),
    };
    let seen = facts.probes.iter().map(count).max();
    let seen = seen.unwrap_or(0);
    // That there is none at all is told by what keeps it away.
    if seen >= required as usize || seen == 0 {
        return Outcome::Pass;
    }
    Some(Problem::new(format!("{seen} GPUs answered, {required} are required."))).into()
}
