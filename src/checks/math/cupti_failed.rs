//! CUPTI cannot trace kernels on this GPU.

use crate::checks::math::{has, of_stages};
use crate::checks::shared::faults::faults;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.cupti-failed",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "CUPTI cannot trace kernels on this GPU",
    why: "Profilers (torch.profiler, Kineto, TensorFlow) record kernels through the CUPTI Activity API. Status 39 means that \
          another profiler is attached.",
    remedy: "Install CUPTI from the image's CUDA release, and detach other profilers (CUDA_INJECTION64_PATH)",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if !has(facts, "libcupti") && faults(facts, Stage::Cupti).next().is_none() {
        return Outcome::Skip("CUPTI is not in the image");
    }
    of_stages(facts, &[Stage::LoadCupti, Stage::Cupti])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::event::Api;
    use crate::facts::sample::{Sample, not_loaded, of_api};

    #[test]
    fn a_call_fails_or_the_library_does_not_load() {
        let failed = of_api(Api::Cupti, "cuptiActivityEnable", 1);
        let found = problem(judge(&Sample::machine(1).fault(Some(0), Stage::Cupti, failed).facts()));
        assert!(
            found.cause.starts_with("GPU 0 (NVIDIA H100 80GB HBM3): cuptiActivityEnable returned 1 ("),
            "{}",
            found.cause
        );
        let absent =
            Sample::machine(1).fault(Some(0), Stage::LoadCupti, not_loaded("libcupti.so.12: not found"));
        assert!(matches!(judge(&absent.facts()), Outcome::Skip(_)), "math.absent reports it");
    }
}
