//! What the driver and the libraries report about a device, and the results of exercising it.

use serde::{Deserialize, Serialize};

use crate::Field;

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
