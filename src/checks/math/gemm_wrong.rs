//! cuBLAS computes a wrong matrix product.

use crate::checks::math::each;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::event::GemmVerdict;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "math.gemm-wrong",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "cuBLAS computes a wrong matrix product",
    why: "The matrices contain small integers, so every product and every partial sum is exact, and the result is known bit \
          for bit in any order of summation. If the smoke kernel computes correctly, the library or the tensor cores \
          are at fault.",
    remedy: "Run cudacheck again. If only one GPU is wrong, take it out of service; if all are, install another cuBLAS release",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let wrong = |verdict: &GemmVerdict| match verdict {
            GemmVerdict::Wrong { elements, first } => Some((*elements, first.clone())),
            GemmVerdict::Overrun { at } => Some((0, format!("wrote past the end of {at}"))),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::event::{Event, GemmCase};
    use crate::facts::sample::{Sample, gemm_case};

    #[test]
    fn one_wrong_element_of_many_cases() {
        let with = |verdict| {
            let case = GemmCase { verdict, ..gemm_case() };
            judge(&Sample::machine(2).event(Some(1), Event::GemmCase(case)).facts())
        };
        let found = problem(with(GemmVerdict::Wrong { elements: 3, first: "C[1,2] is 5, not 4".into() }));
        assert_eq!(found.cause, "GPU 1 (NVIDIA H100 80GB HBM3): f16 256 x 128 x 512: C[1,2] is 5, not 4.");
        assert_eq!(
            found.evidence[0].text,
            "f16 nt 256x128x512 alpha 1 beta 0: 3 wrong elements, C[1,2] is 5, not 4"
        );
        assert!(matches!(with(GemmVerdict::NotTf32), Outcome::Pass), "math.no-tf32 reports it");
    }
}
