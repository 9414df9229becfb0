//! A library did not load; the audit is incomplete.

use crate::checks::math::{each, has};
use crate::checks::shared::faults::phrase;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.audit-incomplete",
    severity: Severity::Unknown,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "A library did not load; the audit is incomplete",
    why: "The deadline passed before all of the image was read, so it is unknown whether the library is missing or broken.",
    remedy: "Run again with --timeout 120s",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.census.is_whole() {
        return Outcome::Pass;
    }
    let stages =
        [(Stage::LoadRuntime, "libcudart"), (Stage::LoadBlas, "libcublas"), (Stage::LoadCupti, "libcupti")];
    each(facts, |run| {
        let missed = stages.iter().find_map(|(stage, name)| run.fault(*stage).filter(|_| !has(facts, name)));
        missed.map(|fault| {
            Problem::new(phrase(fault)).evidence(
                facts.census.unreadable.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::{Sample, copy, not_loaded};
    use image_audit::census::{Coverage, Unreadable};

    #[test]
    fn the_deadline_came_first() {
        let sample =
            || Sample::machine(1).fault(Some(0), Stage::LoadBlas, not_loaded("libcublas.so.12: not found"));
        let cut = |facts: &mut Facts| {
            facts.census.coverage = Coverage::Interrupted;
            facts.census.unreadable.push(Unreadable::new("/", "the deadline passed"));
        };
        let found = problem(judge(&sample().with(cut).facts()));
        assert_eq!(found.cause, "GPU 0 (NVIDIA H100 80GB HBM3): dlopen failed: libcublas.so.12: not found.");
        assert_eq!(found.evidence[0].text, "/: the deadline passed");
        assert!(matches!(judge(&sample().facts()), Outcome::Pass), "math.absent reports it");
        let known = sample().with(cut).copy(copy("libcublas", "/usr/lib/libcublas.so.12", "12.4.5.8"));
        assert!(matches!(judge(&known.facts()), Outcome::Pass), "math.cublas-load reports it");
    }
}
