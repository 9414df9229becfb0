//! Findings in the report.

use serde::Serialize;

use crate::model::{Evidence, Fix, GpuRef, Owner, Severity};

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    pub id: String,
    pub severity: Severity,
    pub owner: Owner,
    pub fix: Fix,
    pub title: String,
    pub cause: String,
    pub remedy: String,
    pub evidence: Vec<Evidence>,
    /// The file that the cause is about.
    pub path: Option<String>,
    /// The GPU that it is about, where it is about one.
    pub gpu: Option<GpuRef>,
    /// The machine that it is about, where it is a prediction.
    pub machine: Option<String>,
    /// Ids of findings that are consequences of this one and are not listed by themselves.
    pub explains: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AcceptedFinding {
    pub finding: Finding,
    pub reason: String,
    /// The last day.
    pub until: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Skipped {
    pub id: String,
    pub why: String,
}
