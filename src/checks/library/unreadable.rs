//! Parts of the image could not be read.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "library.unreadable",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Parts of the image could not be read",
    why: "The list of libraries is silent about them. As long as programs may be among them, no copy is called \
          redundant.",
    remedy: "Run cudacheck as root to see all; a damaged archive or database has to be made anew",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let unreadable = &facts.census.unreadable;
    let Some(first) = unreadable.first() else { return Outcome::Pass };
    let cause = match unreadable.len() {
        1 => format!("{first}."),
        more => format!("{first}, and {} more.", more - 1),
    };
    let problem =
        unreadable.iter().take(10).fold(Problem::new(cause), |problem, line| problem.evidence(line.to_string()));
    Some(problem).into()
}
