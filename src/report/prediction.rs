//! Predictions in the report: whether the image works on described machines.

use serde::Serialize;

use crate::model::{Finding, Question, Severity};

/// Whether the image works on a described machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Prediction {
    pub machine: String,
    /// Compute capability, such as sm_90.
    pub gpu: String,
    /// Driver version, if given.
    pub driver: Option<String>,
    /// The newest CUDA that the driver supports, such as 12.2 or `at least 13.1`; null if unknown.
    pub cuda: Option<String>,
    pub verdict: Foretold,
    /// The questions and the answers.
    pub decided: Vec<Decided>,
    /// Ids of findings about the image itself, which fail on every machine and count in the verdict.
    pub image: Vec<String>,
    /// Findings about this machine. They are not in the findings of the report.
    pub findings: Vec<Finding>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Foretold {
    Works,
    /// It works, with notes or warnings.
    WorksWithNotes,
    Fails,
    /// It could not be determined.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Decided {
    pub by: Question,
    /// The answer, in a few words.
    pub answer: String,
    /// The installations in the image that decide, as name and version; none if there is only one.
    pub frameworks: Vec<String>,
    /// Of the most severe finding that the answer caused.
    pub severity: Option<Severity>,
}
