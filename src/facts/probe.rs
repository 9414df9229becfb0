//! What the probes said and how each ended, and plain questions about that.

use serde::{Deserialize, Serialize};

use super::event::{
    Blas, Cupti, Device, Driver, Event, Fault, GemmCase, NvmlDevice, NvmlSystem, Outcome, Runtime, Smoke,
};
use crate::model::{Field, Stage};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    Survey,
    /// One device, by the driver's ordinal.
    Gpu(u32),
}

/// How a probe was started; see `supervise/start.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    Memory,
    File,
    Loader,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeRun {
    pub target: Target,
    pub way: Option<Way>,
    pub events: Vec<Event>,
    pub ending: Ending,
    /// The last of what libraries printed.
    pub noise: String,
    pub seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    Exited {
        code: i32,
    },
    Signalled {
        signal: i32,
    },
    /// Killed at the deadline; `reaped` says whether it could be.
    TimedOut {
        reaped: bool,
    },
    /// No process came of it.
    NotStarted {
        reasons: Vec<Refusal>,
    },
    /// An earlier probe still runs, and no second one was started.
    Occupied(Holder),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    pub way: Option<Way>,
    #[serde(default)]
    pub errno: Option<i32>,
    pub error: String,
}

/// A probe of an earlier call, as /proc tells of it. Times in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    pub state: String,
    pub stage: String,
    pub age: f64,
    pub timeout: f64,
}

impl Holder {
    /// Past its deadline, in a call that cannot be interrupted; or by so much that its supervisor, which ends it at
    /// the deadline, would have done so by now even with little of the processor.
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

    /// It said all that it had to say.
    pub fn finished(&self) -> bool {
        self.events.last() == Some(&Event::Done)
    }

    /// It has come to speak its first line: the image's loader could load it.
    pub fn spoke(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::Hello { .. }))
    }

    /// The calls that were announced and did not return, one per GPU or thread at most.
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

    pub fn crashed_in_nvml(&self) -> bool {
        let nvml = [Stage::LoadNvml, Stage::NvmlInit, Stage::NvmlDevice];
        let crashed =
            !self.finished() && matches!(self.ending, Ending::Signalled { .. } | Ending::Exited { .. });
        crashed && self.open_calls().iter().any(|(stage, ..)| nvml.contains(stage))
    }

    /// How a stage ended, of the last time that it ran.
    pub fn outcome(&self, wanted: Stage) -> Option<&Outcome> {
        self.events.iter().rev().find_map(|event| match event {
            Event::Left { stage, outcome, .. } if *stage == wanted => Some(outcome),
            _ => None,
        })
    }

    pub fn fault(&self, stage: Stage) -> Option<&Fault> {
        match self.outcome(stage) {
            Some(Outcome::Failed(fault)) => Some(fault),
            _ => None,
        }
    }
}

/// Whether NVML's UUID and the driver's are of one GPU: only NVML's has a prefix.
fn same(field: &Field<String>, uuid: &str) -> bool {
    let bare = |text: &str| text.trim_start_matches("GPU-").trim_start_matches("MIG-").to_owned();
    field.known().is_some_and(|known| bare(known) == bare(uuid))
}

/// Whether NVML's GPU, or an instance of it, is the driver's device.
pub fn is_device(gpu: &NvmlDevice, device: &Device) -> bool {
    same(&gpu.uuid, &device.uuid) || gpu.mig_devices.iter().any(|mig| same(&mig.uuid, &device.uuid))
}

/// What NVML says is free on a device of the driver, in bytes.
pub fn free_memory(runs: &[ProbeRun], device: &Device) -> Option<u64> {
    let gpu = runs.iter().flat_map(ProbeRun::nvml_devices).find(|gpu| is_device(gpu, device))?;
    let instance = gpu.mig_devices.iter().find(|mig| same(&mig.uuid, &device.uuid));
    instance.map_or(&gpu.memory_free, |mig| &mig.memory_free).known().copied()
}

/// `run.smoke()` and the like: the events of one kind.
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
