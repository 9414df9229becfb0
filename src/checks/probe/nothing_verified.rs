//! Finds checks that verified no GPU, though nothing failed.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::probe::ProbeRun;
use crate::facts::{Facts, gpu_selection};
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "probe.nothing-verified",
    severity: Severity::Unknown,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "No GPU could be verified",
    why: "No probe reported a fault, but none reported a working GPU either. That is not healthy.",
    remedy: "Run `cudacheck --format json` and check the stages",
    explains: &[],
    codes: &[],
    judge,
};

/// Catches what no other check found: every cause explains this finding.
fn judge(facts: &Facts) -> Outcome {
    if facts.request.level == Level::Image {
        return Outcome::Skip("level image runs nothing");
    }
    let answered = |run: &ProbeRun| match facts.request.level {
        Level::Nvml => run.nvml_devices().any(|gpu| gpu_selection::chosen(facts, gpu).is_some()),
        _ => run.devices().any(|device| gpu_selection::is_named(facts, device)),
    };
    if facts.probes.iter().any(answered) {
        return Outcome::Pass;
    }
    Some(Problem::new(format!("Level {} was requested, but no GPU answered.", facts.request.level))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Api;
    use crate::facts::sample::{Sample, fault, of_api};
    use crate::model::Stage;

    #[test]
    fn one_gpu_that_answered_is_enough() {
        let causes = |sample: Sample| judge(&sample.facts()).causes();
        let (nvml, cuda) = (of_api(Api::Nvml, "nvmlInit", 9), fault("cuInit", 100));
        let without_nvml = |level| Sample::machine(1).level(level).fault(None, Stage::NvmlInit, nvml.clone());
        assert_eq!(causes(without_nvml(Level::Nvml)), ["Level nvml was requested, but no GPU answered."]);
        assert!(causes(without_nvml(Level::Driver)).is_empty(), "CUDA answered");
        let without_cuda =
            |level| Sample::machine(1).level(level).fault(None, Stage::DriverInit, cuda.clone());
        assert_eq!(causes(without_cuda(Level::Driver)), ["Level driver was requested, but no GPU answered."]);
        assert!(causes(without_cuda(Level::Nvml)).is_empty(), "NVML answered");
        assert!(matches!(judge(&Sample::image().facts()), Outcome::Skip(_)));
    }

    #[test]
    fn a_gpu_that_was_not_selected_does_not_count() {
        let causes = |gpu: &str| {
            let sample = Sample::machine(1).with(|facts| facts.request.gpus = vec![gpu.into()]);
            judge(&sample.facts()).causes()
        };
        assert_eq!(causes("1").len(), 1);
        assert!(causes("0").is_empty());
    }
}
