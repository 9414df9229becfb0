//! Finds GPUs that are in use, so that they were not verified in full.

use crate::checks::device::each_gpu;
use crate::checks::shared::faults::{is_starved, is_taken, phrase};
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::facts::event::{NvmlDevice, Outcome as StageOutcome};
use crate::model::{Fix, Owner, Severity, Stage, finding};

pub const CHECK: Check = Check {
    id: finding::BUSY,
    severity: Severity::Note,
    owner: Owner::Nobody,
    fix: Fix::Wait,
    title: "A GPU is busy and was only partly verified",
    why: "A busy GPU is not a broken GPU. cudacheck does not take memory that an application may need next, and \
          creates no context where that would lock the application out.",
    remedy: "Run the check again when the GPU is idle, or use --level driver",
    explains: &[],
    codes: &[(Library::Driver, 2), (Library::Driver, 46)],
    judge,
};

/// Free memory that a new context needs: the largest one measured takes 555 MiB.
const CONTEXT_MIB: u64 = 640;

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
    if facts.request.level.creates_no_context()
        && let Outcome::Fail(busy) = each_gpu(facts, refuses_contexts)
    {
        problems.extend(busy);
    }
    problems.into()
}

/// Why a program that starts now would not get a context, as reported by NVML.
fn refuses_contexts(gpu: &NvmlDevice) -> Option<String> {
    let exclusive = gpu.compute_mode.known().is_some_and(|mode| mode.is_exclusive());
    let used = gpu.compute_processes.known().is_some_and(|processes| *processes > 0);
    if exclusive && used {
        return Some("in exclusive mode and in use.".to_owned());
    }
    // A GPU with MIG enabled has no free memory of its own.
    let mig = gpu.mig_enabled.known() == Some(&true);
    let free = *gpu.memory_free.known()? >> 20;
    (free < CONTEXT_MIB && !mig).then(|| format!("only {free} MiB of memory is free."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Api;
    use crate::facts::sample::{Sample, fault, of_api};
    use crate::model::{ComputeMode, Field, Level, Skip};

    #[test]
    fn a_stage_that_gives_way_to_an_application_is_busy() {
        let causes = |sample: Sample| judge(&sample.facts()).causes();
        let machine = || Sample::machine(2);
        let low = Skip::LowMemory { free: 100 << 20, needed: 700 << 20 };
        for (sample, part) in [
            (machine().skip(1, Stage::Context, Skip::Exclusive), "compute mode is exclusive"),
            (machine().skip(1, Stage::BlasInit, low), "100 MiB of GPU memory is free"),
            (machine().fault(Some(1), Stage::Context, fault("cuCtxCreate", 2)), "CUDA_ERROR_OUT_OF_MEMORY"),
            (machine().fault(Some(1), Stage::Context, fault("cuCtxCreate", 46)), "returned 46"),
            (
                machine().fault(Some(1), Stage::BlasInit, of_api(Api::Cublas, "cublasCreate", 3)),
                "CUBLAS_STATUS_ALLOC_FAILED",
            ),
        ] {
            let causes = causes(sample);
            assert_eq!(causes.len(), 1, "{causes:?}");
            assert!(causes[0].starts_with("GPU 1 (") && causes[0].contains(part), "{causes:?}");
        }
        assert!(causes(machine()).is_empty());
        assert!(causes(machine().skip(1, Stage::Context, Skip::Prohibited)).is_empty());
        assert!(causes(machine().fault(Some(1), Stage::Context, fault("cuCtxCreate", 719))).is_empty());
    }

    #[test]
    fn cublas_that_is_not_initialized_is_busy_only_where_memory_is_short() {
        let causes = |free: u64| {
            let fault = of_api(Api::Cublas, "cublasCreate", 1);
            let sample = Sample::machine(1).nvml(0, |gpu| gpu.memory_free = Field::Known(free));
            judge(&sample.fault(Some(0), Stage::BlasInit, fault).facts()).causes()
        };
        assert_eq!(causes(100 << 20).len(), 1);
        assert!(causes(2 << 30).is_empty());
    }

    #[test]
    fn without_a_context_nvml_reports_who_is_busy() {
        let causes = |free: u64, mode: ComputeMode, processes: u32, mig: bool, level: Level| {
            let sample = Sample::machine(1).level(level).nvml(0, |gpu| {
                gpu.memory_free = Field::Known(free << 20);
                gpu.compute_mode = Field::Known(mode);
                gpu.compute_processes = Field::Known(processes);
                gpu.mig_enabled = Field::Known(mig);
            });
            judge(&sample.facts()).causes().join("; ")
        };
        let (default, exclusive) = (ComputeMode::Default, ComputeMode::ExclusiveProcess);
        for level in [Level::Nvml, Level::Driver] {
            assert!(causes(639, default, 0, false, level).ends_with("only 639 MiB of memory is free."));
            assert!(causes(4000, exclusive, 1, false, level).ends_with("in exclusive mode and in use."));
            assert_eq!(causes(640, default, 1, false, level), "");
            assert_eq!(causes(4000, exclusive, 0, false, level), "");
            assert_eq!(causes(0, default, 0, true, level), "");
        }
        assert_eq!(causes(639, default, 0, false, Level::Smoke), "", "a context was created");
    }
}
