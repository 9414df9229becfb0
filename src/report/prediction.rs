//! Predictions in the report: whether the image will work on machines that were only described.

use serde::Serialize;

use super::finding::Finding;
use crate::model::Severity;

/// Whether the image will work on a machine that was only described.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Prediction {
    pub machine: String,
    /// Such as sm_90.
    pub gpu: String,
    /// Of the machine, where it was said.
    pub driver: Option<String>,
    /// The newest CUDA that the driver supports, such as 12.2 or `at least 13.1`, where that is known.
    pub cuda: Option<String>,
    pub verdict: Foretold,
    /// What was asked, and the answers.
    pub decided: Vec<Decided>,
    /// Ids of findings about the image that are the same on every machine and weigh on the verdict.
    pub image: Vec<String>,
    /// About this machine alone. They are not among the findings of the report.
    pub findings: Vec<Finding>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Foretold {
    Works,
    /// It works, and something is worth knowing.
    WorksWithNotes,
    Fails,
    /// It could not be told, which is no promise.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Decided {
    /// code, cuda, gpu, module or requirement.
    pub by: String,
    /// A few words for people.
    pub answer: String,
    /// Of the gravest finding that came of it.
    pub severity: Option<Severity>,
}
