//! The libraries above the driver: libcudart, libcublas, libcupti.

use crate::checks::shared::faults::{is_starved, is_taken, phrase};
use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::Stage;
use image_audit::census::Origin;

family! {
    gemm_wrong
    cublas_mixed
    cublas_load
    cublas_init
    gemm_failed
    copy_wrong
    driver_too_old
    runtime_load
    runtime_failed
    audit_incomplete
    cupti_subscriber
    cupti_failed
    cupti_silent
    absent
    minor_version
    no_tf32
    counters
}

/// What one run finds, prefixed with its GPU.
fn each(facts: &Facts, judge: impl Fn(&ProbeRun) -> Option<Problem>) -> Outcome {
    let problem = |run| {
        judge(run).map(|problem: Problem| {
            let gpu = facts.gpu_of_run(run);
            Problem { cause: format!("{}: {}", facts.gpu_name(gpu.as_ref()), problem.cause), gpu, ..problem }
        })
    };
    facts.probes.iter().filter_map(problem).collect::<Vec<_>>().into()
}

/// The fault of one of these stages. Lack of memory is left to `device.busy`.
fn of_stages(facts: &Facts, stages: &[Stage]) -> Outcome {
    each(facts, |run| {
        let faults = stages.iter().filter_map(|stage| run.fault(*stage));
        faults
            .into_iter()
            .find(|fault| !is_taken(fault) && !is_starved(facts, run, fault))
            .map(|fault| Problem::new(phrase(fault)))
    })
}

/// Whether the image has a library that could be loaded.
fn has(facts: &Facts, library: &str) -> bool {
    let usable = |origin| !matches!(origin, Origin::Stub);
    facts.census.copies.iter().any(|copy| copy.library == library && usable(copy.origin) && copy.bytes > 0)
}

/// The CUDA versions of the runtime and the driver, as the runtime reports them.
fn versions(run: &ProbeRun) -> Option<(i32, i32)> {
    run.runtime().next().map(|runtime| (runtime.version, runtime.driver))
}
