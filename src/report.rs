//! The report: the one model that every renderer shows and that machines read as JSON.
//!
//! `assemble.rs` fills it from facts and findings. A change that breaks readers raises [`SCHEMA`];
//! `docs/schema.json` is generated from these types.

mod assemble;
mod peak;
mod predict;
mod purpose;
mod savings;

use std::process::ExitCode;

use serde::Serialize;

use crate::model::{Evidence, Fix, GpuRef, Level, Owner, Severity};

pub use assemble::assemble;
pub use predict::shared;
pub use purpose::Purpose;
pub use savings::{Change, Savings};

use crate::facts::event::{Blas, Cupti, GemmCase, NvmlDevice, Runtime, Smoke};
use crate::model::Stage;
use image_audit::census::{Origin, User};
use image_audit::fatbin::DeviceCode;
use image_audit::leftovers::{Flavour, Kind};
use image_audit::image::{Hidden, Layer};
use image_audit::packages::Manager;

/// The version of the JSON report.
pub const SCHEMA: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    pub schema: u32,
    /// Of cudacheck.
    pub version: String,
    pub verdict: Verdict,
    /// The deepest level that every exercised GPU has passed; `image` where none was exercised.
    pub level: Level,
    /// The level that was asked for.
    pub requested: Level,
    /// The verdict in one sentence.
    pub summary: String,
    /// The leading cause first.
    pub findings: Vec<Finding>,
    /// Findings that the configuration accepts.
    pub accepted: Vec<AcceptedFinding>,
    /// Checks that could not look, which is no pass.
    pub skipped: Vec<Skipped>,
    pub driver: Option<Driver>,
    pub gpus: Vec<Gpu>,
    pub libraries: Vec<Library>,
    /// Files that the probes really mapped for the libraries that they loaded.
    pub loaded: Vec<Loaded>,
    pub stages: Vec<StageTime>,
    pub image: Image,
    /// What can go.
    pub savings: Savings,
    /// Of the machines that were described, in that order.
    pub predictions: Vec<Prediction>,
    /// From start to report.
    pub seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Verified,
    /// Nothing was to be run, and the image has no fault.
    Audited,
    Failed,
    Undecided,
}

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

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Skipped {
    pub id: String,
    pub why: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Driver {
    /// Of the kernel module.
    pub module: Option<String>,
    pub open_module: Option<bool>,
    /// Of NVML, which is the version of the user-space driver.
    pub version: Option<String>,
    /// The newest CUDA that the driver supports, such as 12.4.
    pub cuda: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gpu {
    #[serde(flatten)]
    pub id: GpuRef,
    pub name: String,
    pub pci: Option<String>,
    /// Such as 9.0.
    pub capability: Option<String>,
    pub sms: Option<u32>,
    /// Bytes.
    pub memory: Option<u64>,
    pub state: GpuState,
    /// The deepest level that this GPU has passed.
    pub level: Level,
    pub health: Option<NvmlDevice>,
    pub smoke: Option<Smoke>,
    pub runtime: Option<Runtime>,
    pub blas: Option<Blas>,
    pub gemm: Vec<GemmCase>,
    pub speed: Vec<Speed>,
    pub cupti: Option<Cupti>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum GpuState {
    Verified,
    /// In use, so that not all could be verified; what was is right.
    Busy,
    Failed,
    Undecided,
    /// Seen, but not exercised: hidden from CUDA, or not chosen.
    Seen,
}

/// Throughput of a large matrix product.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Speed {
    pub format: String,
    /// m, n and k.
    pub size: [u32; 3],
    /// 10^12 floating-point operations per second.
    pub tflops: f64,
    /// The device's own peak at its highest clock, where that is known.
    pub peak_tflops: Option<f64>,
    /// From 0 to 1.
    pub peak_share: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Library {
    pub name: String,
    pub status: Status,
    pub copies: Vec<Copy>,
    /// Objects that need it, where it is missing.
    pub missing_for: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Present,
    /// An object needs it and nothing provides it.
    Missing,
    /// There are copies that nothing loads because another one is loaded in their place.
    Redundant,
    NotNeeded,
    /// Not part of the image, and rightly so: the container runtime brings it.
    Injected,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Copy {
    pub path: String,
    pub soname: Option<String>,
    pub version: Option<String>,
    /// None for a directory of headers.
    pub bytes: Option<u64>,
    pub origin: Origin,
    /// Name and version of the package that it belongs to.
    pub owner: Option<String>,
    /// By architecture, from the headers of its fatbins.
    pub device_code: Vec<DeviceCode>,
    pub verdict: CopyVerdict,
    pub used_by: Vec<User>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CopyVerdict {
    Used,
    /// Nothing loads it, and another copy of the same soname is loaded.
    Redundant,
    /// Nothing is seen to load it; a plug-in, perhaps.
    Unreferenced,
    /// An object means this one, and LD_LIBRARY_PATH puts another in its place.
    Shadowed,
    /// For linking only.
    Stub,
    /// Not the image's.
    Injected,
    /// No library: a tool or headers.
    Present,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Loaded {
    pub library: String,
    pub path: String,
    /// Other files that came with it.
    pub also: Vec<String>,
}

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
    /// It did not return.
    Hung,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Image {
    /// The directory, or the name of the archive's image.
    pub root: String,
    pub entries: u64,
    pub elf_files: u64,
    /// Of all regular files, hard links once.
    pub bytes: u64,
    pub seconds: f64,
    /// Such as `debian 12`.
    pub distribution: Option<String>,
    /// Which of NVIDIA's base images it looks like, from its content.
    pub flavour: Flavour,
    /// What verdicts rest on.
    pub assumptions: Vec<String>,
    /// Of all objects, by architecture.
    pub device_code: Vec<DeviceCode>,
    /// Packages that own copies or tools, and what would go with them.
    pub packages: Vec<Package>,
    pub leftovers: Vec<Leftover>,
    /// Of an archive, the lowest first.
    pub layers: Vec<Layer>,
    pub hidden: Vec<Hidden>,
    /// Bytes of redundant copies.
    pub redundant_bytes: u64,
    pub unreadable: Vec<String>,
    pub skipped: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Package {
    pub manager: Manager,
    pub name: String,
    pub version: String,
    /// Of all its files.
    pub bytes: u64,
    pub files: u64,
    /// A line of a Dockerfile that removes it.
    pub remove: String,
}

/// Files of one kind in one place that a production image rarely needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Leftover {
    pub kind: Kind,
    pub place: String,
    pub bytes: u64,
    pub files: u64,
    pub owner: Option<String>,
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
    /// With those about machines.
    pub fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        let of_machines = self.predictions.iter().flat_map(|prediction| &prediction.findings);
        self.findings.iter().chain(of_machines)
    }

    /// Every place that names a GPU.
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
