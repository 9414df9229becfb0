//! Redundant copies of CUDA libraries exceed the budget.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::words::size;
use crate::model::{Fix, Owner, Severity};
use image_audit::Verdict;
use image_audit::census::Coverage;

pub const CHECK: Check = Check {
    id: "library.over-budget",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Redundant copies of CUDA libraries exceed the budget",
    why: "--max-redundant, or max-redundant in the configuration, limits the size of redundant copies.",
    remedy: "Remove the copies that library.redundant lists, or raise the budget",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(budget) = facts.request.max_redundant else {
        return Outcome::Skip("no budget is set (--max-redundant)");
    };
    if !facts.census.full || facts.census.coverage != Coverage::Complete {
        let cause = "Not every program was read, so no copy is known to be redundant.";
        let remedy = "Run as root, with --level full, on a complete archive";
        return Some(Problem::new(cause).remedy(remedy)).into();
    }
    let bytes: u64 = facts.census.copies_with(Verdict::Redundant).map(|copy| copy.bytes).sum();
    let cause = format!("Redundant copies take {}; the budget is {}.", size(bytes), size(budget));
    (bytes > budget).then(|| Problem::new(cause)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::{Sample, copy};

    #[test]
    fn the_sum_counts() {
        let sample = |budget| {
            let mut redundant = copy("libcublas", "/usr/lib/libcublas.so.12", "12.4.5.8");
            (redundant.verdict, redundant.bytes) = (Verdict::Redundant, 100_000_000);
            Sample::image().copy(redundant).with(|facts| facts.request.max_redundant = budget)
        };
        let found = problem(judge(&sample(Some(50_000_000)).facts()));
        assert_eq!(found.cause, "Redundant copies take 100 MB; the budget is 50.0 MB.");
        assert!(matches!(judge(&sample(Some(100_000_000)).facts()), Outcome::Pass));
        assert!(matches!(judge(&sample(None).facts()), Outcome::Skip(_)));
        let partial = sample(Some(u64::MAX)).with(|facts| facts.census.coverage = Coverage::Partial);
        assert!(problem(judge(&partial.facts())).remedy.unwrap().starts_with("Run as root"));
    }
}
