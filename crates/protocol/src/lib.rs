//! The wire protocol between cudacheck's supervisor and its probe.
//!
//! The supervisor starts a probe with a [`Job`], as JSON, in its only argument. The probe writes one
//! [`Event`] per line, as JSON, to a pipe. It announces every call that can block ([`Event::Enter`])
//! before it makes it, so that the last line names the call that hung or crashed.
//!
//! A probe runs a job of its own version of the [`PROTOCOL`] only; for any other it reports
//! [`Event::Hello`] and [`Event::Done`], and nothing in between. The supervisor ignores lines that are
//! not events, and both sides ignore fields that they do not know.
//!
//! Plain data only: no I/O, no judgement.

#![forbid(unsafe_code)]

mod device;
mod nvml;

use serde::{Deserialize, Serialize};

pub use device::{Blas, Cupti, Device, Driver, GemmCase, GemmVerdict, Runtime, Smoke};
pub use nvml::{ComputeMode, Fabric, Link, MigDevice, NvLinks, NvmlDevice, NvmlSystem, RemappedRows};

/// Version of this protocol. Raise it when the meaning of a job or an event changes.
pub const PROTOCOL: u32 = 2;

/// Name of the smoke kernel, as it appears in CUPTI's activity records.
pub const SMOKE_KERNEL: &str = "cudacheck_smoke";

/// Exit status of a probe that did nothing because another probe holds its lock (`EX_TEMPFAIL`).
pub const LOCK_TAKEN: i32 = 75;

/// The work of one probe process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The supervisor's [`PROTOCOL`].
    pub protocol: u32,
    /// Process ID of the supervisor. A probe with another parent has been orphaned, and exits.
    pub parent: u32,
    pub task: Task,
    /// Name of the abstract socket that the probe binds for as long as it lives.
    pub lock: String,
    /// Milliseconds from the start of the probe until the supervisor kills it.
    pub timeout_ms: u64,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Query NVML for every GPU, then list the devices of the driver.
    Survey(Survey),
    /// Exercise one device.
    Device(DeviceTask),
}

/// Which parts of the machine to survey. Creates no context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Survey {
    /// Device nodes to open and close.
    pub nodes: Vec<String>,
    /// Query NVML. False after NVML crashed a probe.
    pub nvml: bool,
    /// Load libcuda, call cuInit and list the devices.
    pub driver: bool,
    /// Milliseconds to wait for NVML's answers before going on without the missing ones.
    pub nvml_timeout_ms: u64,
}

/// The checks to run on one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceTask {
    /// CUDA's ordinal of the device.
    pub ordinal: u32,
    /// Free GPU memory in bytes, as reported by NVML: the driver would need a context to report it.
    pub memory_free: Option<u64>,
    /// Exercise libcudart, cuBLAS and CUPTI after the smoke kernel.
    pub gemm: bool,
    /// The files to load them from.
    pub libraries: Libraries,
}

/// The files to load for each library: dependencies first, the library itself last. If empty, the
/// loader searches for it by soname.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Libraries {
    pub runtime: Vec<String>,
    pub blas: Vec<String>,
    pub cupti: Vec<String>,
}

/// One line of a probe's report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The first line of every probe.
    Hello {
        /// The probe's [`PROTOCOL`].
        protocol: u32,
        /// The probe's process ID.
        pid: u32,
        /// Version of the glibc that the probe runs on.
        libc: String,
    },
    /// The probe is about to make a call that can block.
    Enter {
        stage: Stage,
        call: String,
        /// NVML's index in [`Stage::NvmlDevice`], CUDA's ordinal in all other stages.
        gpu: Option<u32>,
    },
    /// A stage ended.
    Left {
        stage: Stage,
        /// As in [`Event::Enter`].
        gpu: Option<u32>,
        /// Wall-clock time of the stage.
        seconds: f64,
        outcome: Outcome,
    },
    /// The probe opened a device node and closed it again.
    Node {
        path: String,
        /// The error number, if it could not be opened.
        errno: Option<i32>,
    },
    /// A library was loaded.
    Library {
        /// The library's name, such as `libcublas`.
        name: String,
        /// The file or soname that was passed to dlopen.
        asked: String,
        /// The file that was mapped.
        path: String,
        /// Other files that were mapped along with it: its dependencies.
        also: Vec<String>,
    },
    Nvml(NvmlSystem),
    NvmlDevice(Box<NvmlDevice>),
    Driver(Driver),
    Device(Device),
    Smoke(Smoke),
    Runtime(Runtime),
    Blas(Blas),
    GemmCase(GemmCase),
    Cupti(Cupti),
    /// The last line of a probe that ran to completion.
    Done,
}

/// The stages of a probe, in the order they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Start,
    /// Open the device nodes.
    Nodes,
    LoadNvml,
    /// nvmlInit and the system's properties.
    NvmlInit,
    /// Query NVML for one GPU.
    NvmlDevice,
    LoadDriver,
    /// cuInit.
    DriverInit,
    /// List the devices of the driver.
    Enumerate,
    /// Create the primary context.
    Context,
    /// Compile the smoke kernel from PTX.
    Jit,
    /// Run the smoke kernel.
    Launch,
    /// Compare its results with the host's.
    Compare,
    LoadRuntime,
    /// Copy memory with libcudart.
    Runtime,
    LoadBlas,
    /// Create a cuBLAS handle.
    BlasInit,
    /// Multiply matrices and compare the results.
    Gemm,
    /// Multiply matrices and measure the time.
    GemmTiming,
    LoadCupti,
    /// Trace a kernel.
    Cupti,
}

/// How a stage ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Passed,
    Failed(Fault),
    /// The stage did not run. This is not a pass.
    Skipped(Skip),
}

/// Why a stage was skipped. A GPU in any of these states may be healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// The compute mode allows no contexts.
    Prohibited,
    /// The compute mode allows a single context, and the probe's would lock the application out.
    Exclusive,
    /// Too little GPU memory is free. Both in bytes.
    LowMemory { free: u64, needed: u64 },
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    pub api: Api,
    /// The function that was called.
    pub call: String,
    /// The status that it returned, whether or not any binding knows it. None for the loader's errors.
    pub code: Option<i64>,
    /// The library's own name for the status, if it has one.
    pub name: Option<String>,
    /// The library's or the loader's error message; may be empty.
    pub detail: String,
}

/// The interface that a failed call belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Api {
    Loader,
    Nvml,
    Driver,
    Runtime,
    Cublas,
    Cupti,
}

/// A value, or the reason why it is unavailable. An unavailable number is never reported as zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Field<T> {
    Known(T),
    Unavailable { unavailable: String },
}

impl<T> Field<T> {
    pub fn known(&self) -> Option<&T> {
        match self {
            Field::Known(value) => Some(value),
            Field::Unavailable { .. } => None,
        }
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Field::Known(value) => Field::Known(change(value)),
            Field::Unavailable { unavailable } => Field::Unavailable { unavailable },
        }
    }
}

#[cfg(test)]
mod tests;
