//! What a check is, and what it returns. The checks themselves are in the families.

use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Evidence, Fix, GpuRef, Owner, Question, Severity};

pub struct Check {
    /// `family.name`, the argument of `cudacheck explain`.
    pub id: &'static str,
    pub severity: Severity,
    pub owner: Owner,
    pub fix: Fix,
    pub title: &'static str,
    /// Background, for `cudacheck explain` and docs/checks.md.
    pub why: &'static str,
    /// A command, or a sentence that begins with a verb. A problem may have a more specific one.
    pub remedy: &'static str,
    /// Ids of checks whose findings are consequences of this one.
    pub explains: &'static [&'static str],
    /// Error codes that applications show in this case, for `cudacheck explain 803`.
    pub codes: &'static [(Library, i64)],
    pub judge: fn(&Facts) -> Outcome,
}

pub enum Outcome {
    Pass,
    /// The check could not run, and why. Never a pass.
    Skip(&'static str),
    Fail(Vec<Problem>),
}

/// One failure of a check: what depends on the facts.
#[derive(Default)]
pub struct Problem {
    pub cause: String,
    pub evidence: Vec<Evidence>,
    /// The file that the cause is about.
    pub path: Option<String>,
    pub gpu: Option<GpuRef>,
    /// The described machine that it is about, and the question that it answers.
    pub machine: Option<String>,
    pub question: Option<Question>,
    pub remedy: Option<String>,
}

impl Problem {
    pub fn new(cause: impl Into<String>) -> Self {
        Problem { cause: cause.into(), ..Problem::default() }
    }

    pub fn evidence(mut self, line: impl Into<Evidence>) -> Self {
        self.evidence.push(line.into());
        self
    }

    /// A line of evidence that begins with the path of a file.
    pub fn file(self, path: &str, rest: &str) -> Self {
        self.evidence(Evidence::of(path, rest))
    }

    /// The file that the cause is about.
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    pub fn gpu(mut self, gpu: Option<GpuRef>) -> Self {
        self.gpu = gpu;
        self
    }

    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Adds a problem to a list; one that is there already, such as of a second installation of one package, gets
    /// the evidence of both.
    pub fn merge(problems: &mut Vec<Problem>, problem: Problem) {
        let same = |known: &&mut Problem| {
            (&known.cause, &known.machine, known.question)
                == (&problem.cause, &problem.machine, problem.question)
        };
        match problems.iter_mut().find(same) {
            Some(known) => {
                for line in problem.evidence {
                    if !known.evidence.contains(&line) {
                        known.evidence.push(line);
                    }
                }
            }
            None => problems.push(problem),
        }
    }
}

#[cfg(test)]
impl Outcome {
    /// None of a check that passed or was skipped.
    pub fn problems(self) -> Vec<Problem> {
        match self {
            Outcome::Fail(problems) => problems,
            Outcome::Pass | Outcome::Skip(_) => Vec::new(),
        }
    }

    pub fn causes(self) -> Vec<String> {
        self.problems().into_iter().map(|problem| problem.cause).collect()
    }
}

impl From<Vec<Problem>> for Outcome {
    fn from(problems: Vec<Problem>) -> Self {
        if problems.is_empty() { Outcome::Pass } else { Outcome::Fail(problems) }
    }
}

impl From<Option<Problem>> for Outcome {
    fn from(problem: Option<Problem>) -> Self {
        problem.into_iter().collect::<Vec<_>>().into()
    }
}
