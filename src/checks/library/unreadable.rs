//! Parts of the image could not be read.

use crate::checks::shared::coverage;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "library.unreadable",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Parts of the image could not be read",
    why: "The list of libraries does not cover them. If programs may be among them, no copy is reported as redundant.",
    remedy: "Run cudacheck as root; recreate a damaged archive or package database",
    explains: &[],
    codes: &[],
    judge,
};

/// Evidence lists no more than this.
const LISTED: usize = 10;

fn judge(facts: &Facts) -> Outcome {
    let unreadable = &facts.census.unreadable;
    let Some(first) = unreadable.first() else { return Outcome::Pass };
    let cause = match unreadable.len() {
        1 => format!("{first}."),
        more => format!("{first}, and {} more.", more - 1),
    };
    let mut problem = Problem::new(cause);
    problem.evidence = unreadable.iter().take(LISTED).map(coverage::evidence).collect();
    problem.path = problem.evidence[0].path.clone();
    Some(problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::sample::Sample;
    use image_audit::census::Unreadable;

    #[test]
    fn paths_and_other_lines() {
        let layer = Unreadable { layer: Some("layer 0".into()), path: None, reason: "is truncated".into() };
        let unreadable = vec![Unreadable::new("/root", "Permission denied"), layer];
        let facts = Sample::image().with(|facts| facts.census.unreadable = unreadable);
        let found = problem(judge(&facts.facts()));
        assert_eq!(found.cause, "/root: Permission denied, and 1 more.");
        assert_eq!(found.path.as_deref(), Some("/root"));
        let evidence: Vec<_> =
            found.evidence.iter().map(|line| (line.text.as_str(), line.path.as_deref())).collect();
        assert_eq!(evidence, [("/root: Permission denied", Some("/root")), ("layer 0 is truncated", None)]);
        assert!(matches!(judge(&Sample::image().facts()), Outcome::Pass));
    }
}
