//! What unit tests of checks ask of an outcome.

use super::{Outcome, Problem};

/// The only problem of a check that fails.
pub fn problem(outcome: Outcome) -> Problem {
    match outcome {
        Outcome::Fail(mut problems) if problems.len() == 1 => problems.remove(0),
        Outcome::Fail(problems) => panic!("{} problems", problems.len()),
        Outcome::Pass => panic!("it passed"),
        Outcome::Skip(why) => panic!("it was skipped: {why}"),
    }
}

pub fn passes(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Pass)
}

pub fn skips(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Skip(_))
}

pub fn lines(problem: &Problem) -> Vec<&str> {
    problem.evidence.iter().map(|line| line.text.as_str()).collect()
}
