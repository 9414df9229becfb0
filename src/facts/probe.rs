//! What the probes reported, how each ended, and simple queries of both.

use serde::{Deserialize, Serialize};

use super::event::{
    Blas, Cupti, Device, Driver, Event, Fault, GemmCase, NvmlDevice, NvmlSystem, Outcome, Runtime, Smoke,
};
use crate::model::{Field, Stage};

/// What a probe was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The survey of all GPUs.
    Survey,
    /// One device, by CUDA's ordinal.
    Gpu(u32),
}

/// How a probe was started; see `supervise/start.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// From a memfd.
    Memory,
    /// From a file in a writable directory.
    File,
    /// From a memfd, through the image's loader.
    Loader,
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeRun {
    pub target: Target,
    /// None if it could not be started.
    pub way: Option<Way>,
    pub events: Vec<Event>,
    pub ending: Ending,
    /// The end of what libraries printed.
    pub noise: String,
    /// Wall-clock time.
    pub seconds: f64,
}

/// How a probe ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    Exited {
        code: i32,
    },
    Signalled {
        signal: i32,
    },
    /// It was killed at the deadline. If it was not reaped, it could not be killed.
    TimedOut {
        reaped: bool,
    },
    /// It could not be started.
    NotStarted {
        reasons: Vec<Refusal>,
    },
    /// It did nothing, because another probe held its lock.
    LockTaken,
    /// It was not started, because a probe of another call was still running.
    Occupied(Holder),
}

/// Why one way of starting the probe failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// None if no way could work.
    pub way: Option<Way>,
    #[serde(default)]
    pub errno: Option<i32>,
    pub error: String,
}

/// A running probe of another call, as described by /proc.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    /// Process state, such as `S` or `D`.
    pub state: String,
    /// Name of the stage; may be truncated.
    pub stage: String,
    /// Seconds since it was started.
    pub age: f64,
    /// Seconds after which its supervisor kills it.
    pub timeout: f64,
}

impl Holder {
    /// It is past its timeout, in an uninterruptible system call; or by so much that even a slow supervisor would have
    /// killed it.
    pub fn is_stuck(&self) -> bool {
        self.age > self.timeout + if self.state == "D" { 0.0 } else { 1.0 }
    }
}

impl ProbeRun {
    pub fn new(target: Target) -> Self {
        let ending = Ending::Exited { code: 0 };
        ProbeRun { target, way: None, events: Vec::new(), ending, noise: String::new(), seconds: 0.0 }
    }

    pub fn not_started(target: Target, reasons: Vec<Refusal>) -> Self {
        ProbeRun { ending: Ending::NotStarted { reasons }, ..Self::new(target) }
    }

    /// It ran to completion.
    pub fn finished(&self) -> bool {
        self.events.last() == Some(&Event::Done)
    }

    /// It wrote its first line, so the image's loader could load it.
    pub fn said_hello(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Hello { .. }))
    }

    /// The calls that were announced and did not return, at most one per stage and GPU.
    pub fn open_calls(&self) -> Vec<(Stage, &str, Option<u32>)> {
        let mut open: Vec<(Stage, &str, Option<u32>)> = Vec::new();
        for event in &self.events {
            match event {
                Event::Enter { stage, call, gpu } => {
                    open.retain(|(other, _, of)| (other, of) != (stage, gpu));
                    open.push((*stage, call, *gpu));
                }
                Event::Left { stage, gpu, .. } => open.retain(|(other, _, of)| (other, of) != (stage, gpu)),
                _ => {}
            }
        }
        open
    }

    /// It ended unexpectedly within a call of NVML.
    pub fn crashed_in_nvml(&self) -> bool {
        let nvml = [Stage::LoadNvml, Stage::NvmlInit, Stage::NvmlDevice];
        let crashed =
            !self.finished() && matches!(self.ending, Ending::Signalled { .. } | Ending::Exited { .. });
        crashed && self.open_calls().iter().any(|(stage, ..)| nvml.contains(stage))
    }

    /// How a stage ended, the last time it ran.
    pub fn outcome(&self, wanted: Stage) -> Option<&Outcome> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Left { stage, outcome, .. } if *stage == wanted => Some(outcome),
            _ => None,
        })
    }

    /// The fault that a stage ended with.
    pub fn fault(&self, stage: Stage) -> Option<&Fault> {
        match self.outcome(stage) {
            Some(Outcome::Failed(fault)) => Some(fault),
            _ => None,
        }
    }
}

/// Whether NVML's UUID, which has a prefix, and CUDA's are the same.
fn same(field: &Field<String>, uuid: &str) -> bool {
    field.known().is_some_and(|known| is_uuid(known, uuid))
}

/// Whether two UUIDs are the same. NVML's have a prefix, CUDA's have none.
pub fn is_uuid(one: &str, other: &str) -> bool {
    let bare = |text: &str| text.trim_start_matches("GPU-").trim_start_matches("MIG-").to_owned();
    bare(one) == bare(other)
}

/// Whether NVML's GPU, or a MIG instance of it, is CUDA's device.
pub fn is_device(gpu: &NvmlDevice, device: &Device) -> bool {
    same(&gpu.uuid, &device.uuid) || gpu.mig_devices.iter().any(|mig| same(&mig.uuid, &device.uuid))
}

/// Free memory of a device, as reported by NVML, in bytes.
pub fn free_memory(runs: &[ProbeRun], device: &Device) -> Option<u64> {
    let gpu = runs.iter().flat_map(ProbeRun::nvml_devices).find(|gpu| is_device(gpu, device))?;
    let instance = gpu.mig_devices.iter().find(|mig| same(&mig.uuid, &device.uuid));
    instance.map_or(&gpu.memory_free, |mig| &mig.memory_free).known().copied()
}

/// Methods such as `run.smoke()`: the events of one kind.
macro_rules! events {
    ($($name:ident: $variant:ident -> $kind:ty;)*) => {
        impl ProbeRun {
            $(pub fn $name(&self) -> impl Iterator<Item = &$kind> {
                self.events.iter().filter_map(|event| match event {
                    Event::$variant(value) => Some(value),
                    _ => None,
                })
            })*
        }
    };
}
events! {
    nvml: Nvml -> NvmlSystem;
    nvml_devices: NvmlDevice -> Box<NvmlDevice>;
    driver: Driver -> Driver;
    devices: Device -> Device;
    smoke: Smoke -> Smoke;
    runtime: Runtime -> Runtime;
    blas: Blas -> Blas;
    gemm: GemmCase -> GemmCase;
    cupti: Cupti -> Cupti;
}
