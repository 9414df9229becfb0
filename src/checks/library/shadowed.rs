//! The environment puts another copy in the place of the one that is meant.

use image_audit::census::Shadow;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "library.shadowed",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The environment puts another copy in the place of the one that is meant",
    why: "An object names by its RUNPATH the directory of the library that it was built for, but LD_LIBRARY_PATH \
          is searched before RUNPATH, and a directory in it has a library of the same name. What LD_PRELOAD names \
          goes before everything.",
    remedy: "Take that directory out of LD_LIBRARY_PATH (ENV LD_LIBRARY_PATH= in the Dockerfile), or the library \
             out of LD_PRELOAD",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let census = &facts.census;
    let mut problems: Vec<Problem> = Vec::new();
    let mut told: Vec<(&str, &str)> = Vec::new();
    for shadow in &census.shadows {
        if told.contains(&(&shadow.meant, &shadow.winner)) {
            continue;
        }
        told.push((&shadow.meant, &shadow.winner));
        let same = |other: &&Shadow| (&other.meant, &other.winner) == (&shadow.meant, &shadow.winner);
        let cause = format!("{} is loaded in place of {}.", shadow.winner, shadow.meant);
        let problem = census
            .shadows
            .iter()
            .filter(same)
            .fold(Problem::new(cause), |problem, other| problem.evidence(format!("by {}", other.by)));
        problems.push(match &census.library_path {
            Some(value) => problem.evidence(format!("LD_LIBRARY_PATH={value}")),
            None => problem,
        });
    }
    problems.into()
}
