//! A library did not load, and the image was not read to its end.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::math::{census_is_whole, each, has};
use crate::checks::shared::faults::phrase;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.not-looked",
    severity: Severity::Unknown,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "A library did not load, and the image was not read to its end",
    why: "Whether the library is absent or broken is not known, because the deadline came before the whole image \
          was read.",
    remedy: "Try again with --timeout 120s",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if census_is_whole(facts) {
        return Outcome::Pass;
    }
    let stages = [(Stage::LoadRuntime, "libcudart"), (Stage::LoadBlas, "libcublas"), (Stage::LoadCupti, "libcupti")];
    each(facts, |run| {
        let missed = stages.iter().find_map(|(stage, name)| run.fault(*stage).filter(|_| !has(facts, name)));
        missed.map(|fault| Problem::new(phrase(fault)).evidence(facts.census.unreadable.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
    })
}
