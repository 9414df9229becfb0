//! cuBLAS refuses a product.

use crate::checks::{Check, Outcome};
use crate::checks::math::of_stages;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.gemm-failed",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "cuBLAS refuses a product",
    why: "cublasGemmEx returned an error for a format that this GPU supports.",
    remedy: "Install a cuBLAS release that knows this GPU.",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    of_stages(facts, &[Stage::Gemm, Stage::GemmTiming])
}
