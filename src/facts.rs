//! Facts: data without opinion. `host` describes the container, `image-audit`'s census the image, `probe` what the
//! probes reported. What could not be read is recorded with the reason.

pub mod app_libraries;
pub mod event;
pub mod gpu_selection;
pub mod gpus;
pub mod host;
pub mod leftovers;
pub mod probe;
#[cfg(test)]
pub mod sample;
pub mod saved;
pub mod target_machine;
mod wire;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use host::Host;
use image_audit::census::Census;
use image_audit::config::Image;
use probe::ProbeRun;
use target_machine::TargetMachine;

use crate::model::{GpuSelector, Level};

/// Everything that checks may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub request: Request,
    pub host: Host,
    pub census: Census,
    /// Only of an archive.
    pub image: Option<Image>,
    pub probes: Vec<ProbeRun>,
}

/// What the user requested.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    pub level: Level,
    pub timeout_seconds: f64,
    pub require_gpus: Option<u32>,
    /// The GPUs that --gpus names.
    pub gpus: Vec<GpuSelector>,
    /// In UTC; decides which acceptances have expired.
    pub today: Option<Date>,
    pub accepted: Vec<Accepted>,
    /// GPU architectures that the image is for, such as 90.
    pub arch: Vec<u32>,
    /// Bytes that redundant copies may take.
    pub max_redundant: Option<u64>,
    /// The tree is the running root, so that injected libraries belong in it.
    pub running: bool,
    /// Machines for which to predict whether the image works.
    pub machines: Vec<TargetMachine>,
}

/// A finding that the user accepts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    pub id: String,
    /// Only where the cause or the evidence contains this.
    #[serde(default)]
    pub about: Option<String>,
    pub reason: String,
    /// The last day on which it is accepted; none if the acceptance has no end.
    #[serde(default)]
    pub until: Option<Date>,
}
