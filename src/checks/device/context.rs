//! No context can be created on a GPU.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::device::{health, is_shallow, of_stage};
use crate::checks::shared::faults::TAKEN;
use crate::facts::Facts;
use crate::facts::event::Outcome as StageOutcome;
use crate::facts::probe::ProbeRun;
use crate::model::{ComputeMode, Fix, Owner, Severity, Skip, Stage};

pub const CHECK: Check = Check {
    id: "device.context",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "No context can be created on a GPU",
    why: "A context is what every CUDA program creates first. The driver's number says why it is refused.",
    remedy: "Look at `nvidia-smi` on the host: another process in exclusive mode, memory that is full, or a GPU \
             that must be reset.",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    match of_stage(facts, Stage::Context, |fault| !fault.code.is_some_and(|code| TAKEN.contains(&code))) {
        Outcome::Pass => prohibited(facts),
        other => other,
    }
}

fn prohibited(facts: &Facts) -> Outcome {
    let problem = |run: &ProbeRun| match run.outcome(Stage::Context) {
        Some(StageOutcome::Skipped(Skip::Prohibited)) => {
            let gpu = facts.gpu_of_run(run);
            let cause = format!(
                "{}: compute mode is prohibited, so that no program can use it.",
                facts.gpu_name(gpu.as_ref())
            );
            Some(Problem::new(cause).gpu(gpu).remedy("On the host: sudo nvidia-smi -c 0"))
        }
        _ => None,
    };
    let found: Vec<Problem> = facts.probes.iter().filter_map(problem).collect();
    if !found.is_empty() || !is_shallow(facts) {
        return found.into();
    }
    let found = health(facts, |gpu| {
        let prohibited = gpu.compute_mode.known().is_some_and(|mode| *mode == ComputeMode::Prohibited);
        prohibited.then(|| "compute mode is prohibited, so that no program can use it.".to_owned())
    });
    match found {
        Outcome::Fail(problems) => {
            let cured =
                problems.into_iter().map(|problem| problem.remedy("On the host: sudo nvidia-smi -c 0"));
            Outcome::Fail(cured.collect())
        }
        // Where NVML did not answer, contexts speak for themselves.
        Outcome::Pass | Outcome::Skip(_) => Outcome::Pass,
    }
}
