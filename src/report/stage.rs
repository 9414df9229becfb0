//! Stages of the probes in the report, with the time that each took.

use serde::Serialize;

use crate::model::{GpuRef, Stage};

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StageTime {
    pub name: Stage,
    pub gpu: Option<GpuRef>,
    pub seconds: f64,
    pub outcome: StageOutcome,
    /// Why it failed or was skipped.
    pub reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StageOutcome {
    Passed,
    Failed,
    Skipped,
    /// A call did not return.
    Hung,
}
