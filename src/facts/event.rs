//! What a probe reported, event by event, as facts store it.
//!
//! The same shapes as on the wire, but separate types, because saved facts outlive a protocol. The supervisor makes them
//! from the events that it receives (`wire.rs`).

use serde::{Deserialize, Serialize};

use crate::model::{ComputeMode, Field, Skip, Stage};

/// One line of a probe's report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The first line of every probe.
    Hello {
        /// Version of the probe's protocol.
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

/// How a stage ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    Passed,
    Failed(Fault),
    /// The stage did not run. This is not a pass.
    Skipped(Skip),
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

/// The result of a matrix product, compared with the known answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GemmVerdict {
    /// Every element is correct, bit for bit.
    Exact,
    /// At least this many elements are wrong. The first as `C[row, column] = got, not wanted`.
    Wrong { elements: u64, first: String },
    /// The result is correct, but the inputs were not rounded to TF32 as requested.
    NotTf32,
    /// The library wrote outside of the matrix.
    Overrun { at: String },
}

impl GemmVerdict {
    /// The product is right, in whatever precision.
    pub fn is_exact(&self) -> bool {
        matches!(self, GemmVerdict::Exact | GemmVerdict::NotTf32)
    }
}

/// What NVML reports about the system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NvmlSystem {
    /// Version of the driver, such as `550.54.15`.
    pub driver: Field<String>,
    /// Version of libnvidia-ml, such as `12.550.54.15`.
    pub nvml: Field<String>,
    /// Newest CUDA version that the driver supports: 1000 * major + 10 * minor.
    pub cuda: Field<i32>,
    /// Number of GPUs.
    pub gpus: u32,
    /// With confidential computing: whether the GPUs accept work.
    pub confidential_ready: Field<bool>,
}

/// What NVML reports about one GPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NvmlDevice {
    /// NVML's index, in PCI bus order.
    pub index: u32,
    /// With prefix: `GPU-...`.
    pub uuid: Field<String>,
    pub name: Field<String>,
    /// PCI bus ID: `domain:bus:device.function`.
    pub pci: Field<String>,
    /// Bytes.
    pub memory_total: Field<u64>,
    /// Bytes.
    pub memory_free: Field<u64>,
    /// Bytes.
    pub memory_used: Field<u64>,
    pub compute_mode: Field<ComputeMode>,
    /// Number of processes with a compute context.
    pub compute_processes: Field<u32>,
    pub utilization_percent: Field<u32>,
    /// Persistence mode.
    pub persistence: Field<bool>,
    pub ecc_enabled: Field<bool>,
    /// Errors since the driver was loaded.
    pub ecc_uncorrected: Field<u64>,
    /// Errors since the driver was loaded.
    pub ecc_corrected: Field<u64>,
    pub remapped_rows: Field<RemappedRows>,
    pub retired_pages_pending: Field<bool>,
    /// Why the clocks are reduced now, such as `power-cap` or `hardware-thermal`.
    pub throttle: Field<Vec<String>>,
    pub pcie_generation: Field<Link>,
    /// Lanes.
    pub pcie_width: Field<Link>,
    /// PCIe replays since the GPU was reset.
    pub pcie_replays: Field<u32>,
    pub nvlinks: Field<NvLinks>,
    pub fabric: Field<Fabric>,
    /// Degrees Celsius.
    pub temperature: Field<u32>,
    /// Of the GPU memory, in degrees Celsius.
    #[serde(default = "Field::not_recorded")]
    pub memory_temperature: Field<u32>,
    /// Memory temperature at which the GPU starts to slow down, in degrees Celsius.
    #[serde(default = "Field::not_recorded")]
    pub memory_slowdown: Field<u32>,
    /// Milliwatts.
    pub power: Field<u32>,
    /// MHz.
    pub sm_clock: Field<u32>,
    /// MHz.
    pub sm_clock_max: Field<u32>,
    /// `P0` to `P15`.
    pub performance_state: Field<String>,
    pub mig_enabled: Field<bool>,
    pub mig_devices: Vec<MigDevice>,
}

/// Rows of GPU memory that were replaced by spare ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemappedRows {
    /// Rows remapped because of correctable errors.
    pub correctable: u32,
    /// Rows remapped because of uncorrectable errors.
    pub uncorrectable: u32,
    /// A remapping takes effect at the next GPU reset.
    pub pending: bool,
    /// A remapping failed: the spare rows are used up.
    pub failed: bool,
}

/// The PCIe link of a GPU: generation or lanes, now and at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Link {
    pub current: u32,
    pub max: u32,
}

/// Number of NVLinks by state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NvLinks {
    pub active: u32,
    pub inactive: u32,
}

/// Registration of a GPU with the NVLink fabric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fabric {
    /// `not-supported`, `not-started`, `in-progress`, `completed` or NVML's number for another state.
    pub state: String,
    /// `nvmlReturn_t` of the registration; valid once it is completed.
    pub status: u32,
}

/// A MIG instance, as NVML lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MigDevice {
    /// NVML's index among the instances of its GPU.
    pub index: u32,
    /// With prefix: `MIG-...`.
    pub uuid: Field<String>,
    /// Bytes.
    pub memory_total: Field<u64>,
    /// Bytes.
    pub memory_free: Field<u64>,
}

/// What libcuda reports about itself after cuInit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Driver {
    /// As returned by `cuDriverGetVersion`: 12040 is CUDA 12.4.
    pub cuda: i32,
    /// Number of devices.
    pub devices: u32,
}

/// A device, as CUDA lists it. None of its properties needs a context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// CUDA's ordinal.
    pub ordinal: u32,
    pub name: String,
    /// Without prefix, lowercase. For a MIG instance its own, unless the driver is older than 470.42.
    pub uuid: String,
    /// PCI bus ID: `domain:bus:device.function`.
    pub pci: String,
    /// Bytes.
    pub memory: u64,
    /// Compute capability: major and minor.
    pub capability: (i32, i32),
    /// Number of SMs.
    pub sms: i32,
    /// kHz.
    pub clock: i32,
    /// `CUcomputemode`: 0 default, 2 prohibited, 3 exclusive process.
    pub compute_mode: i32,
    /// Supports cooperative launches.
    pub cooperative: bool,
    /// Shares its memory with the host.
    pub integrated: bool,
}

/// Results of the smoke kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Smoke {
    /// SMs of the device.
    pub sms_present: u32,
    /// SMs that ran at least one block.
    pub sms_covered: u32,
    /// IDs of the SMs that computed wrong results.
    pub sms_wrong: Vec<u32>,
    /// Results computed, 32 bits each, over all launches.
    pub words: u64,
    pub words_wrong: u64,
    /// The sums that the device kept with atomics match the host's.
    pub sums_right: bool,
    /// Number of launches.
    pub launches: u32,
    /// The launch was cooperative, which guarantees that every SM runs a block.
    pub cooperative: bool,
}

impl Smoke {
    /// Everything that was computed is right.
    pub fn is_right(&self) -> bool {
        self.sms_wrong.is_empty() && self.words_wrong == 0 && self.sums_right
    }

    pub fn covers_all(&self) -> bool {
        self.sms_covered >= self.sms_present
    }
}

/// Results of the libcudart check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runtime {
    /// As returned by `cudaRuntimeGetVersion`: 12040 is CUDA 12.4.
    pub version: i32,
    /// As returned by `cudaDriverGetVersion`.
    pub driver: i32,
    /// As returned by `cudaGetDeviceCount`.
    pub devices: i32,
    /// Bytes copied to the device and back.
    pub copied: u64,
    /// Offset of the first byte that came back different.
    pub wrong_at: Option<u64>,
}

/// Versions of cuBLAS: 10000 * major + 100 * minor + patch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blas {
    pub cublas: i32,
    /// Of the libcublasLt that cuBLAS loaded; the two must be of the same release.
    pub cublas_lt: Option<u64>,
}

/// One matrix product, C = alpha * op(A) * op(B) + beta * C, and how its result compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GemmCase {
    /// `f32`, `tf32`, `f16` or `bf16`, followed by a slash and the type of C if that is different.
    pub format: String,
    /// `n` or `t` for each operand, such as `nt`.
    pub transpose: String,
    pub m: u32,
    pub n: u32,
    pub k: u32,
    pub alpha: f32,
    pub beta: f32,
    pub verdict: GemmVerdict,
    /// Floating-point operations per second, if the case was timed.
    pub flops: Option<f64>,
}

/// Results of the CUPTI check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cupti {
    /// As returned by `cuptiGetVersion`.
    pub version: u32,
    /// Names of the kernels in the activity records.
    pub kernels: Vec<String>,
    /// Whether the driver lets this process read hardware counters.
    pub counters: Field<bool>,
}
