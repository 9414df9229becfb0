//! Finds GPUs on which CUDA cannot create a context.

use crate::checks::device::{each_gpu, stage_failures};
use crate::checks::shared::faults::is_taken;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::event::Outcome as StageOutcome;
use crate::facts::probe::ProbeRun;
use crate::model::{ComputeMode, Fix, Owner, Severity, Skip, Stage};

pub const CHECK: Check = Check {
    id: "device.context",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "CUDA cannot create a context on a GPU",
    why: "Every CUDA program creates a context first. The driver's error code says why it refused.",
    remedy: "Run `nvidia-smi` on the host: look for a process in exclusive mode, full memory, or a GPU that needs a \
             reset",
    explains: &[],
    codes: &[],
    judge,
};

const PROHIBITED: &str = "compute mode is prohibited, so no program can use it.";
const ALLOW_CONTEXTS: &str = "On the host: `sudo nvidia-smi -c 0`";

fn judge(facts: &Facts) -> Outcome {
    // A GPU that is full or held exclusively is busy, not broken.
    match stage_failures(facts, Stage::Context, |fault| !is_taken(fault)) {
        Outcome::Pass => prohibited(facts),
        other => other,
    }
}

fn prohibited(facts: &Facts) -> Outcome {
    let problem = |run: &ProbeRun| match run.outcome(Stage::Context) {
        Some(StageOutcome::Skipped(Skip::Prohibited)) => {
            let gpu = facts.gpu_of_run(run);
            Some(Problem::new(format!("{}: {PROHIBITED}", facts.gpu_name(gpu.as_ref()))).gpu(gpu))
        }
        _ => None,
    };
    let mut problems: Vec<Problem> = facts.probes.iter().filter_map(problem).collect();
    if problems.is_empty() && facts.request.level.creates_no_context() {
        let reported = each_gpu(facts, |gpu| {
            (gpu.compute_mode.known() == Some(&ComputeMode::Prohibited)).then(|| PROHIBITED.to_owned())
        });
        if let Outcome::Fail(reported) = reported {
            problems = reported;
        }
    }
    problems.into_iter().map(|problem| problem.remedy(ALLOW_CONTEXTS)).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, fault};
    use crate::model::{Field, Level};

    #[test]
    fn a_refused_context_is_an_error_unless_the_gpu_is_busy() {
        let causes = |code| {
            let fault = fault("cuDevicePrimaryCtxRetain", code);
            judge(&Sample::machine(2).fault(Some(1), Stage::Context, fault).facts()).causes()
        };
        assert_eq!(
            causes(719),
            [
                "GPU 1 (NVIDIA H100 80GB HBM3): cuDevicePrimaryCtxRetain returned 719 (CUDA_ERROR_LAUNCH_FAILED)."
            ]
        );
        // Out of memory; device unavailable.
        assert!(causes(2).is_empty() && causes(46).is_empty());
    }

    #[test]
    fn prohibited_compute_mode_has_its_own_remedy() {
        let skipped = |skip| {
            let outcome = judge(&Sample::machine(2).skip(1, Stage::Context, skip).facts());
            outcome.problems().into_iter().map(|problem| (problem.cause, problem.remedy)).next()
        };
        let (cause, remedy) = skipped(Skip::Prohibited).expect("it fails");
        assert!(cause.starts_with("GPU 1 (") && cause.ends_with(PROHIBITED), "{cause}");
        assert_eq!(remedy.as_deref(), Some(ALLOW_CONTEXTS));
        assert_eq!(skipped(Skip::Exclusive), None);
    }

    #[test]
    fn nvml_reports_the_compute_mode_where_no_context_is_created() {
        let count = |level, mode| {
            let sample = Sample::machine(2).level(level).nvml(0, |gpu| gpu.compute_mode = Field::Known(mode));
            judge(&sample.facts()).causes().len()
        };
        assert_eq!(count(Level::Nvml, ComputeMode::Prohibited), 1);
        assert_eq!(count(Level::Driver, ComputeMode::Prohibited), 1);
        assert_eq!(count(Level::Driver, ComputeMode::Default), 0);
        assert_eq!(count(Level::Smoke, ComputeMode::Prohibited), 0, "the context was created");
    }
}
