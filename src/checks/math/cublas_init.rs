//! cuBLAS fails to initialize on this GPU.

use crate::checks::math::of_stages;
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.cublas-init",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "cuBLAS fails to initialize on this GPU",
    why: "cublasCreate needs GPU memory for its workspace, and device code for this GPU in the library.",
    remedy: "Free GPU memory. If enough is free, install a cuBLAS release that supports this GPU, with the cuBLASLt of the \
             same release",
    explains: &[],
    codes: &[(Library::Cublas, 1)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    of_stages(facts, &[Stage::BlasInit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::event::Api;
    use crate::facts::sample::{Sample, of_api};
    use crate::model::Field;

    #[test]
    fn not_initialized_with_memory_and_without() {
        let sample =
            || Sample::machine(2).fault(Some(1), Stage::BlasInit, of_api(Api::Cublas, "cublasCreate_v2", 1));
        let found = problem(judge(&sample().facts()));
        assert_eq!(
            found.cause,
            "GPU 1 (NVIDIA H100 80GB HBM3): cublasCreate_v2 returned 1 (CUBLAS_STATUS_NOT_INITIALIZED)."
        );
        assert_eq!(found.gpu.and_then(|gpu| gpu.ordinal), Some(1));
        let full = sample().nvml(1, |gpu| gpu.memory_free = Field::Known(700 << 20)).facts();
        assert!(matches!(judge(&full), Outcome::Pass), "device.busy reports it");
    }
}
