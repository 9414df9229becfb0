//! cuBLAS computes a wrong product.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::math::each;
use crate::facts::Facts;
use crate::facts::event::GemmVerdict;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "math.gemm-wrong",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "cuBLAS computes a wrong product",
    why: "The matrices are small integers, so that every product and every partial sum is exact and the answer is \
          known bit for bit. An element that differs is wrong, whatever the order of summation. Where the smoke \
          kernel is right, the library or the tensor cores are at fault.",
    remedy: "Run it again. If the same element is wrong on one GPU only, take that GPU out of service; if on all, \
             install another cuBLAS release.",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let wrong = |verdict: &GemmVerdict| match verdict {
            GemmVerdict::Wrong { elements, first } => Some((*elements, first.clone())),
            GemmVerdict::Overrun { at } => Some((0, format!("written into {at}"))),
            GemmVerdict::Exact | GemmVerdict::NotTf32 => None,
        };
        let cases: Vec<_> =
            run.gemm().filter_map(|case| wrong(&case.verdict).map(|what| (case, what))).collect();
        let (case, (_, first)) = cases.first()?;
        let mut problem =
            Problem::new(format!("{} {} x {} x {}: {first}.", case.format, case.m, case.n, case.k));
        for (case, (elements, first)) in &cases {
            problem = problem.evidence(format!(
                "{} {} {}x{}x{} alpha {} beta {}: {elements} wrong elements, {first}",
                case.format, case.transpose, case.m, case.n, case.k, case.alpha, case.beta
            ));
        }
        Some(problem)
    })
}
