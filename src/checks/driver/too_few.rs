//! Finds containers with fewer GPUs than --require-gpus asks for.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::probe::ProbeRun;
use crate::facts::{Facts, gpu_selection};
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "driver.too-few",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "Fewer GPUs are available than required",
    why: "--require-gpus sets how many GPUs the container must have.",
    remedy: "Give the container more GPUs (`docker run --gpus N ...`), or lower --require-gpus",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(required) = facts.request.require_gpus else {
        return Outcome::Skip("--require-gpus was not given");
    };
    let count = |run: &ProbeRun| match facts.request.level {
        // NVML also lists GPUs that CUDA does not show or that were not selected.
        Level::Nvml => run.nvml_devices().filter(|gpu| gpu_selection::chosen(facts, gpu).is_some()).count(),
        _ => run.devices().filter(|device| gpu_selection::is_named(facts, device)).count(),
    };
    let answered = facts.probes.iter().map(count).max().unwrap_or(0);
    // If no GPU answered, the check that found the reason reports it.
    if answered >= required as usize || answered == 0 {
        return Outcome::Pass;
    }
    let gpus = if answered == 1 { "GPU" } else { "GPUs" };
    Some(Problem::new(format!("{answered} {gpus} answered, but {required} are required."))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, fault};
    use crate::model::Stage;

    fn require(sample: Sample, required: u32) -> Vec<String> {
        judge(&sample.with(|facts| facts.request.require_gpus = Some(required)).facts()).causes()
    }

    #[test]
    fn fewer_gpus_than_required() {
        for level in [Level::Nvml, Level::Driver, Level::Gemm] {
            let machine = || Sample::machine(2).level(level);
            assert_eq!(require(machine(), 3), ["2 GPUs answered, but 3 are required."], "{level}");
            assert!(require(machine(), 2).is_empty(), "{level}");
        }
        let none = Sample::machine(2).fault(None, Stage::DriverInit, fault("cuInit", 100));
        assert!(require(none, 2).is_empty(), "the fault has a check of its own");
        assert!(matches!(judge(&Sample::machine(1).facts()), Outcome::Skip(_)));
    }

    #[test]
    fn only_the_gpus_of_this_container_count() {
        let hidden = Sample::machine(2).level(Level::Nvml).env("CUDA_VISIBLE_DEVICES", "0");
        assert_eq!(require(hidden, 2), ["1 GPU answered, but 2 are required."]);
        let named = Sample::machine(2).with(|facts| facts.request.gpus = vec!["0".into()]);
        assert_eq!(require(named, 2), ["1 GPU answered, but 2 are required."]);
    }
}
