//! What the checks hand to the report.

use crate::facts::target_machine::TargetMachine;
use crate::model::{AcceptedFinding, Finding, Question, Skipped};

/// The result of all checks on one set of facts.
pub struct Judgement {
    /// Most severe first; a finding that another one explains is folded into it.
    pub findings: Vec<Finding>,
    /// Findings that the configuration accepts.
    pub accepted: Vec<AcceptedFinding>,
    /// Checks that could not run.
    pub skipped: Vec<Skipped>,
    /// Ids of findings that mean that the image works on no machine.
    pub image_faults: Vec<String>,
    /// One for each machine of `--on`, in that order.
    pub machines: Vec<MachineAnswers>,
}

/// Whether the image works on a machine, question by question.
pub struct MachineAnswers {
    pub machine: TargetMachine,
    /// The newest CUDA that its driver supports, such as `12.2` or `at least 13.1`; None if unknown.
    pub cuda: Option<String>,
    pub answers: Vec<Answered>,
}

pub struct Answered {
    pub question: Question,
    /// A few words, for the table.
    pub words: String,
    /// The installations that decide; none if there is only one.
    pub frameworks: Vec<String>,
    /// Ids of the checks that failed on the answer.
    pub checks: Vec<&'static str>,
}
