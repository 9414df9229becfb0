//! TF32 was asked for, and FP32 was computed.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::math::each;
use crate::facts::Facts;
use crate::facts::event::GemmVerdict;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "math.no-tf32",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "TF32 was asked for, and FP32 was computed",
    why: "cuBLAS may use TF32 when asked and need not; the answer is right either way.",
    remedy: "Nothing to do. NVIDIA_TF32_OVERRIDE=0 in the environment is one reason.",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let case = run.gemm().find(|case| case.verdict == GemmVerdict::NotTf32)?;
        Some(Problem::new(format!("{} x {} x {} was computed in FP32.", case.m, case.n, case.k)))
    })
}
