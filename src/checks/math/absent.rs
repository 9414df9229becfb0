//! A CUDA library is not in the image, so it was not tested.

use crate::checks::math::has;
use crate::checks::shared::faults::faults;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.absent",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A CUDA library is not in the image",
    why: "cudacheck loads the libraries that the application would load, and contains none itself. A library that is not in \
          the image cannot be tested.",
    remedy: "No action needed, unless the application uses the library",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if !facts.census.is_whole() {
        return Outcome::Skip("not all of the image was read (math.audit-incomplete)");
    }
    let libraries =
        [("libcudart", Stage::LoadRuntime), ("libcublas", Stage::LoadBlas), ("libcupti", Stage::LoadCupti)];
    let absent: Vec<&str> = libraries
        .iter()
        .filter(|(name, stage)| !has(facts, name) && faults(facts, *stage).next().is_some())
        .map(|(name, _)| *name)
        .collect();
    let problem =
        (!absent.is_empty()).then(|| Problem::new(format!("{} not found in the image.", absent.join(", "))));
    problem.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::{Sample, copy, not_loaded};
    use image_audit::census::Coverage;

    #[test]
    fn no_cupti() {
        let sample =
            || Sample::machine(2).fault(Some(0), Stage::LoadCupti, not_loaded("libcupti.so.12: not found"));
        let found = problem(judge(&sample().facts()));
        assert_eq!((found.cause.as_str(), found.gpu), ("libcupti not found in the image.", None));
        let facts = sample().copy(copy("libcupti", "/usr/lib/libcupti.so.12", "12.4.127")).facts();
        assert!(matches!(judge(&facts), Outcome::Pass), "math.cupti-failed reports it");
        let facts = sample().with(|facts| facts.census.coverage = Coverage::Interrupted).facts();
        assert!(matches!(judge(&facts), Outcome::Skip(_)));
    }
}
