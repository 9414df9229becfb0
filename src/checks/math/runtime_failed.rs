//! libcudart fails although the driver works.

use crate::checks::math::of_stages;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.runtime-failed",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "libcudart fails although the driver works",
    why: "The driver API works on this GPU, but the runtime API above it fails.",
    remedy: "Compare the CUDA versions of the runtime and the driver, and install a runtime that matches",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    of_stages(facts, &[Stage::Runtime])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::event::Api;
    use crate::facts::sample::{Sample, of_api};

    #[test]
    fn an_error_of_the_runtime_but_not_of_memory() {
        let judged = |code| {
            let fault = of_api(Api::Runtime, "cudaMalloc", code);
            judge(&Sample::machine(1).fault(Some(0), Stage::Runtime, fault).facts())
        };
        assert_eq!(
            problem(judged(999)).cause,
            "GPU 0 (NVIDIA H100 80GB HBM3): cudaMalloc returned 999 (cudaErrorUnknown)."
        );
        assert!(matches!(judged(2), Outcome::Pass), "cudaErrorMemoryAllocation is device.busy");
    }
}
