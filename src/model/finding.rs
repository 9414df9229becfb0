//! Findings: what checks return and reports show.

use serde::Serialize;

use super::{Evidence, Fix, GpuRef, Owner, Severity};

/// The id of the finding that a GPU is in use.
pub const BUSY: &str = "device.busy";

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// `family.name`, as `cudacheck explain` takes it.
    pub id: String,
    pub severity: Severity,
    pub owner: Owner,
    pub fix: Fix,
    /// What is wrong, in general.
    pub title: String,
    /// What is wrong here.
    pub cause: String,
    /// What to do: a command, or a sentence.
    pub remedy: String,
    pub evidence: Vec<Evidence>,
    /// The file that the cause is about.
    pub path: Option<String>,
    /// The affected GPU, if the finding concerns a single one.
    pub gpu: Option<GpuRef>,
    /// The described machine, if the finding is a prediction.
    pub machine: Option<String>,
    /// IDs of findings that this one causes; they are not listed separately.
    pub explains: Vec<String>,
}

impl Finding {
    /// A busy GPU is not a fault, but health checks report it.
    pub fn is_busy(&self) -> bool {
        self.id == BUSY
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AcceptedFinding {
    pub finding: Finding,
    pub reason: String,
    /// Last day of the acceptance; none if it has no end.
    pub until: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Skipped {
    pub id: String,
    pub why: String,
}
