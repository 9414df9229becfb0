//! A GPU is in use, and was not verified in full.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::device::{health, is_shallow};
use crate::checks::shared::faults::{is_starved, is_taken, phrase};
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::event::{NvmlDevice, Outcome as StageOutcome};
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "device.busy",
    severity: Severity::Note,
    owner: Owner::Nobody,
    fix: Fix::Wait,
    title: "A GPU is in use, and was not verified in full",
    why: "A busy GPU is not a broken one. Memory that an application may need next is not taken, and no context is \
          created where that would lock the application out.",
    remedy: "Run it again when the GPU is free, or be content with --level driver.",
    explains: &[],
    codes: &[(Family::Driver, 2), (Family::Driver, 46)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let mut problems = Vec::new();
    for run in &facts.probes {
        for stage in [Stage::Context, Stage::Runtime, Stage::BlasInit] {
            let why = match run.outcome(stage) {
                Some(StageOutcome::Skipped(skip)) if skip.is_busy() => format!("{skip}."),
                Some(StageOutcome::Failed(fault)) if is_taken(fault) || is_starved(facts, run, fault) => {
                    phrase(fault)
                }
                _ => continue,
            };
            let gpu = facts.gpu_of_run(run);
            problems.push(Problem::new(format!("{}: {why}", facts.gpu_name(gpu.as_ref()))).gpu(gpu));
        }
    }
    if let (true, Outcome::Fail(taken)) = (is_shallow(facts), health(facts, taken)) {
        problems.extend(taken);
    }
    problems.into()
}

/// So that a program that comes now would not get a context. The largest on record takes 555 MiB.
fn taken(gpu: &NvmlDevice) -> Option<String> {
    let exclusive = gpu.compute_mode.known().is_some_and(|mode| mode.is_exclusive());
    let used = gpu.compute_processes.known().is_some_and(|processes| *processes > 0);
    let free = *gpu.memory_free.known()?;
    match free >> 20 {
        _ if exclusive && used => Some("it is in exclusive mode, and in use.".to_owned()),
        // A GPU that is cut into instances has none of its own.
        free @ ..640 if gpu.mig_enabled.known() != Some(&true) => {
            Some(format!("{free} MiB of its memory are free."))
        }
        _ => None,
    }
}
