//! A library is not in the image, so it was not exercised.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::math::{census_is_whole, has};
use crate::checks::shared::faults::faults;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.absent",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A library is not in the image, so it was not exercised",
    why: "cudacheck loads what the application would load and brings no CUDA library of its own.",
    remedy: "Nothing to do, unless the application needs it.",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if !census_is_whole(facts) {
        return Outcome::Skip("math.not-looked speaks of it");
    }
    let libraries =
        [("libcudart", Stage::LoadRuntime), ("libcublas", Stage::LoadBlas), ("libcupti", Stage::LoadCupti)];
    let absent: Vec<&str> = libraries
        .iter()
        .filter(|(name, stage)| !has(facts, name) && faults(facts, *stage).next().is_some())
        .map(|(name, _)| *name)
        .collect();
    let problem = (!absent.is_empty())
        .then(|| Problem::new(format!("There is no {} in the image.", absent.join(", no "))));
    problem.into()
}
