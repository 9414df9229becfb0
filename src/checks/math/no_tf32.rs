//! cuBLAS computed in FP32 instead of TF32.

use crate::checks::math::each;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::event::GemmVerdict;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "math.no-tf32",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "cuBLAS computed in FP32 instead of TF32",
    why: "cuBLAS may use TF32 when it is allowed, but need not. The result is correct, but slower.",
    remedy: "No action needed. If TF32 is wanted, unset NVIDIA_TF32_OVERRIDE",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::event::{Event, GemmCase};
    use crate::facts::sample::{Sample, gemm_case};

    #[test]
    fn fp32_where_tf32_was_allowed() {
        let with = |verdict| {
            let case = GemmCase { format: "tf32".into(), verdict, ..gemm_case() };
            judge(&Sample::machine(1).event(Some(0), Event::GemmCase(case)).facts())
        };
        let found = problem(with(GemmVerdict::NotTf32));
        assert_eq!(found.cause, "GPU 0 (NVIDIA H100 80GB HBM3): 256 x 128 x 512 was computed in FP32.");
        assert!(matches!(with(GemmVerdict::Exact), Outcome::Pass));
    }
}
