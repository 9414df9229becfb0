//! Redundant copies take more than the budget allows.

use image_audit::census::Coverage;
use image_audit::verdict::Verdict;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "library.over-budget",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Redundant copies take more than the budget allows",
    why: "--max-redundant, or max-redundant in the configuration, sets the bytes that redundant copies may take.",
    remedy: "Remove what library.redundant names, or raise the budget",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(budget) = facts.request.max_redundant else { return Outcome::Skip("there is no budget") };
    if !facts.census.full || facts.census.coverage != Coverage::Complete {
        let why = "Not all was read that may load a copy, so that none is called redundant.";
        return Some(Problem::new(why).remedy("Run as root, with --level full, on a whole archive")).into();
    }
    let bytes: u64 = facts.census.copies_with(Verdict::Redundant).map(|copy| copy.bytes).sum();
    let cause = format!(
        "Redundant copies take {:.1} MB; the budget is {:.1} MB.",
        bytes as f64 / 1e6,
        budget as f64 / 1e6
    );
    (bytes > budget).then(|| Problem::new(cause)).into()
}
