//! What a probe reported, event by event, as facts keep it.
//!
//! The shapes follow the wire's, and are types of their own all the same: saved facts outlive a protocol. Only the
//! supervisor makes them, from what it hears.

use serde::{Deserialize, Serialize};

use crate::model::{ComputeMode, Field, Skip, Stage};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The first line of every probe.
    Hello {
        protocol: u32,
        pid: u32,
        libc: String,
    },
    /// About to make a call that can block.
    Enter {
        stage: Stage,
        call: String,
        gpu: Option<u32>,
    },
    /// A stage is over.
    Left {
        stage: Stage,
        gpu: Option<u32>,
        seconds: f64,
        outcome: Outcome,
    },
    /// A device node was opened, or why not, as errno.
    Node {
        path: String,
        errno: Option<i32>,
    },
    /// A library was loaded; the paths are those that the process really mapped.
    Library {
        name: String,
        asked: String,
        path: String,
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
    /// The last line of a probe that came to its end.
    Done,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Passed,
    Failed(Fault),
    /// Not done, and why; never a pass.
    Skipped(Skip),
}

/// A call that did not succeed. Codes are what the library returned, known to any binding or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    pub api: Api,
    pub call: String,
    pub code: Option<i64>,
    /// The name that the library itself gives the code, if it knows one.
    pub name: Option<String>,
    pub detail: String,
}

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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GemmVerdict {
    /// Every element is the known answer.
    Exact,
    /// The first elements that are not, as `C[row, column] = got, not wanted`.
    Wrong { elements: u64, first: String },
    /// The answer is exact, and shows that inputs were not rounded to TF32.
    NotTf32,
    /// Written outside the matrix.
    Overrun { at: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NvmlSystem {
    pub driver: Field<String>,
    pub nvml: Field<String>,
    /// 1000 * major + 10 * minor of the newest CUDA that the driver supports.
    pub cuda: Field<i32>,
    pub gpus: u32,
    /// With confidential computing: whether the GPUs were released for work.
    pub confidential_ready: Field<bool>,
}

/// NVML's view of one GPU. Memory in bytes, power in milliwatts, temperature in degrees Celsius,
/// clocks in MHz.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NvmlDevice {
    pub index: u32,
    pub uuid: Field<String>,
    pub name: Field<String>,
    /// As `domain:bus:device.function`.
    pub pci: Field<String>,
    pub memory_total: Field<u64>,
    pub memory_free: Field<u64>,
    pub memory_used: Field<u64>,
    pub compute_mode: Field<ComputeMode>,
    pub compute_processes: Field<u32>,
    pub utilization_percent: Field<u32>,
    pub persistence: Field<bool>,
    pub ecc_enabled: Field<bool>,
    /// Since the driver was loaded.
    pub ecc_uncorrected: Field<u64>,
    pub ecc_corrected: Field<u64>,
    pub remapped_rows: Field<RemappedRows>,
    pub retired_pages_pending: Field<bool>,
    /// Names of the reasons that hold the clocks down now.
    pub throttle: Field<Vec<String>>,
    pub pcie_generation: Field<Link>,
    pub pcie_width: Field<Link>,
    pub pcie_replays: Field<u32>,
    pub nvlinks: Field<NvLinks>,
    pub fabric: Field<Fabric>,
    pub temperature: Field<u32>,
    pub power: Field<u32>,
    pub sm_clock: Field<u32>,
    pub sm_clock_max: Field<u32>,
    pub performance_state: Field<String>,
    pub mig_enabled: Field<bool>,
    pub mig_devices: Vec<MigDevice>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemappedRows {
    pub correctable: u32,
    pub uncorrectable: u32,
    pub pending: bool,
    pub failed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    pub current: u32,
    pub max: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NvLinks {
    pub active: u32,
    pub inactive: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fabric {
    /// `not-supported`, `not-started`, `in-progress`, `completed` or the driver's number.
    pub state: String,
    /// NVML's status of the registration, meaningful once it is completed.
    pub status: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MigDevice {
    pub index: u32,
    pub uuid: Field<String>,
    pub memory_total: Field<u64>,
    pub memory_free: Field<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Driver {
    /// As `cuDriverGetVersion` gives it: 12040 is CUDA 12.4.
    pub cuda: i32,
    pub devices: u32,
}

/// A device as the CUDA driver lists it; no context is needed for any of this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    pub ordinal: u32,
    pub name: String,
    pub uuid: String,
    pub pci: String,
    pub memory: u64,
    pub capability: (i32, i32),
    pub sms: i32,
    /// kHz
    pub clock: i32,
    /// CUDA's compute mode: 0 default, 2 prohibited, 3 exclusive process.
    pub compute_mode: i32,
    pub cooperative: bool,
    pub integrated: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Smoke {
    pub sms_present: u32,
    pub sms_covered: u32,
    /// Ids of the multiprocessors whose results differ from the host's model.
    pub sms_wrong: Vec<u32>,
    /// Of all launches.
    pub words: u64,
    pub words_wrong: u64,
    /// The sums that atomics kept agree with the host's.
    pub sums_right: bool,
    /// How often the kernel ran.
    pub launches: u32,
    pub cooperative: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runtime {
    /// As `cudaRuntimeGetVersion` gives it: 12040 is CUDA 12.4.
    pub version: i32,
    pub driver: i32,
    pub devices: i32,
    /// Bytes copied to the device and back.
    pub copied: u64,
    /// The first byte that came back different.
    pub wrong_at: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blas {
    /// 10000 * major + 100 * minor + patch level, the form of `cublasLtGetVersion`.
    pub cublas: i32,
    /// What libcublasLt says of itself; another release than cuBLAS is a mix-up.
    pub cublas_lt: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GemmCase {
    /// `f32`, `tf32`, `f16` or `bf16`; the type of C after a slash where it is another.
    pub format: String,
    /// `n` or `t` for each operand.
    pub transpose: String,
    pub m: u32,
    pub n: u32,
    pub k: u32,
    pub alpha: f32,
    pub beta: f32,
    pub verdict: GemmVerdict,
    /// Floating-point operations per second, where the case was timed.
    pub flops: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cupti {
    /// As `cuptiGetVersion` gives it.
    pub version: u32,
    /// Names of the kernels in the records of the Activity API.
    pub kernels: Vec<String>,
    /// True: the driver lets this process read hardware counters. A reason where it was not asked.
    pub counters: Field<bool>,
}
