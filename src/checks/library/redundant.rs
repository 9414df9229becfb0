//! Copies of CUDA libraries that nothing loads.

use image_audit::census::Copy;
use image_audit::verdict::Verdict;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "library.redundant",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Copies of CUDA libraries that nothing loads",
    why: "Another copy of the same soname is loaded by everything that asks for it. Deleting all redundant copies \
          together changes nothing, under these assumptions: all objects of the tree are possible programs, the \
          environment is the one shown, and names are found in read-only data and Python sources.",
    remedy: "Remove the package that brings them, or start from a smaller base image",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let redundant: Vec<&Copy> = facts.census.copies_with(Verdict::Redundant).collect();
    if redundant.is_empty() {
        return Outcome::Pass;
    }
    let bytes: u64 = redundant.iter().map(|copy| copy.bytes).sum();
    let files = if redundant.len() == 1 { "1 file".to_owned() } else { format!("{} files", redundant.len()) };
    let cause = format!("{files} of {:.1} MB can go.", bytes as f64 / 1e6);
    let problem = redundant.iter().fold(Problem::new(cause), |problem, copy| {
        let owner = copy
            .package
            .as_ref()
            .map_or(String::new(), |owner| format!(" ({} {})", owner.name, owner.version));
        problem.evidence(format!("{}{owner}: {:.1} MB", copy.path, copy.bytes as f64 / 1e6))
    });
    Some(problem).into()
}
