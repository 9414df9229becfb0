//! The report: the one model that every renderer shows and that machines read as JSON.
//!
//! `assemble.rs` fills it from facts and findings. A change that breaks readers raises [`SCHEMA`];
//! `docs/schema.json` is generated from these types.

mod assemble;
mod gpu;
mod gpus;
mod image;
mod library;
mod peak;
mod predict;
mod prediction;
mod purpose;
mod savings;
mod stage;
mod summary;

use std::process::ExitCode;

use serde::Serialize;

use crate::model::{AcceptedFinding, Finding, GpuRef, Level, Severity, Skipped};

pub use assemble::assemble;
pub use gpu::{Gpu, GpuState, Speed};
pub use image::{Base, Image, Leftover, Package, PackageName};
pub use library::{CodeKind, Copy, CopyVerdict, DeviceCode, Library, Loaded, Status, Why};
pub use predict::shared;
pub use prediction::{Decided, Foretold, Prediction};
pub use purpose::Purpose;
pub use savings::{Change, Savings};
pub use stage::{StageOutcome, StageTime};

/// The version of the JSON report.
pub const SCHEMA: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    pub schema: u32,
    /// Version of cudacheck.
    pub version: String,
    pub verdict: Verdict,
    /// The deepest level that every exercised GPU has passed; `image` where none was exercised.
    pub level: Level,
    /// The requested level.
    pub requested: Level,
    /// The verdict in one sentence.
    pub summary: String,
    /// Leading cause first.
    pub findings: Vec<Finding>,
    /// Findings that the configuration accepts.
    pub accepted: Vec<AcceptedFinding>,
    /// Checks that could not be performed. A skipped check has not passed.
    pub skipped: Vec<Skipped>,
    pub driver: Option<Driver>,
    pub gpus: Vec<Gpu>,
    pub libraries: Vec<Library>,
    /// Files that the probes mapped for the libraries that they loaded.
    pub loaded: Vec<Loaded>,
    pub stages: Vec<StageTime>,
    pub image: Image,
    /// What can be removed.
    pub savings: Savings,
    /// One per described machine, in the order given.
    pub predictions: Vec<Prediction>,
    /// The day on which the tables that predictions and their remedies rest on were last compared with what is
    /// published, such as 2026-11-30. Null without predictions.
    pub tables_checked: Option<String>,
    /// From start to report, in seconds.
    pub seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Verified,
    /// Nothing was run, and the image has no fault.
    Audited,
    Failed,
    Undecided,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Driver {
    /// Version of the kernel module.
    pub module: Option<String>,
    pub open_module: Option<bool>,
    /// Version of the user-space driver, as NVML reports it.
    pub version: Option<String>,
    /// The newest CUDA that the driver supports, such as 12.4.
    pub cuda: Option<String>,
}

/// The exit codes of the main command; `health` maps them to 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    Verified,
    Finding,
    Fault,
    Undecided,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        ExitCode::from(match status {
            ExitStatus::Verified => 0,
            ExitStatus::Finding => 1,
            ExitStatus::Fault => 2,
            ExitStatus::Undecided => 3,
        })
    }
}

impl Report {
    /// Including those about described machines.
    pub fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        let of_machines = self.predictions.iter().flat_map(|prediction| &prediction.findings);
        self.findings.iter().chain(of_machines)
    }

    /// The GPUs that GPUs, active findings and stages refer to.
    pub fn gpu_refs(&mut self) -> impl Iterator<Item = &mut GpuRef> {
        let of_findings = self.findings.iter_mut().filter_map(|finding| finding.gpu.as_mut());
        let of_stages = self.stages.iter_mut().filter_map(|stage| stage.gpu.as_mut());
        self.gpus.iter_mut().map(|gpu| &mut gpu.id).chain(of_findings).chain(of_stages)
    }

    /// The first finding that fails such a check.
    pub fn failing(&self, purpose: Purpose) -> Option<&Finding> {
        self.findings.iter().find(|finding| purpose.fails(finding.severity, finding.fix))
    }

    pub fn status(&self, fail_on: Severity) -> ExitStatus {
        let reaches =
            |finding: &Finding| finding.severity >= fail_on && finding.severity != Severity::Unknown;
        match self.verdict {
            _ if self.all_findings().any(reaches) => ExitStatus::Finding,
            Verdict::Undecided => ExitStatus::Undecided,
            _ => ExitStatus::Verified,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_published_schema_is_current() {
        let schema = schemars::schema_for!(super::Report);
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        crate::generated::check("docs/schema.json", &text);
    }
}
