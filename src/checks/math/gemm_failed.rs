//! cuBLAS cannot compute a matrix product.

use crate::checks::math::of_stages;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.gemm-failed",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "cuBLAS cannot compute a matrix product",
    why: "cublasGemmEx returned an error for a format that this GPU supports.",
    remedy: "Install a cuBLAS release that supports this GPU",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    of_stages(facts, &[Stage::Gemm, Stage::GemmTiming])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::event::Api;
    use crate::facts::sample::{Sample, of_api};

    #[test]
    fn an_error_of_the_library_but_not_of_memory() {
        let judged = |code| {
            let fault = of_api(Api::Cublas, "cublasGemmEx", code);
            judge(&Sample::machine(2).fault(Some(1), Stage::Gemm, fault).facts())
        };
        let found = problem(judged(15));
        assert_eq!(
            found.cause,
            "GPU 1 (NVIDIA H100 80GB HBM3): cublasGemmEx returned 15 (CUBLAS_STATUS_NOT_SUPPORTED)."
        );
        assert!(matches!(judged(3), Outcome::Pass), "CUBLAS_STATUS_ALLOC_FAILED is device.busy");
    }
}
