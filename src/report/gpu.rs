//! GPUs in the report: what they are, what was verified, and their health as reported by NVML.

use serde::Serialize;

use crate::facts::event;
use crate::model::{ComputeMode, Field, GpuRef, Level};

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Gpu {
    #[serde(flatten)]
    pub id: GpuRef,
    pub name: String,
    pub pci: Option<String>,
    /// Compute capability, such as 9.0.
    pub capability: Option<String>,
    pub sms: Option<u32>,
    /// GPU memory, in bytes.
    pub memory: Option<u64>,
    pub state: GpuState,
    /// Deepest level that this GPU has passed.
    pub level: Level,
    pub health: Option<Health>,
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
    /// In use: verified only in part, without a fault.
    Busy,
    Failed,
    Undecided,
    /// Listed but not exercised: hidden from CUDA, or not selected.
    Seen,
}

/// Throughput of a large GEMM.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Speed {
    pub format: String,
    /// m, n and k.
    pub size: [u32; 3],
    /// TFLOP/s.
    pub tflops: f64,
    /// The GPU's peak at its maximum clock, if known.
    pub peak_tflops: Option<f64>,
    /// Share of the peak, from 0 to 1.
    pub peak_share: Option<f64>,
}

/// NVML's view of one GPU. Memory in bytes, power in milliwatts, temperature in degrees Celsius,
/// clocks in MHz.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Health {
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
    /// Why the clocks are reduced now.
    pub throttle: Field<Vec<String>>,
    pub pcie_generation: Field<Link>,
    pub pcie_width: Field<Link>,
    pub pcie_replays: Field<u32>,
    pub nvlinks: Field<NvLinks>,
    pub fabric: Field<Fabric>,
    pub temperature: Field<u32>,
    /// Of the GPU memory.
    pub memory_temperature: Field<u32>,
    /// Memory temperature at which the GPU starts to slow down.
    pub memory_slowdown: Field<u32>,
    pub power: Field<u32>,
    pub sm_clock: Field<u32>,
    pub sm_clock_max: Field<u32>,
    pub performance_state: Field<String>,
    pub mig_enabled: Field<bool>,
    pub mig_devices: Vec<MigDevice>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RemappedRows {
    pub correctable: u32,
    pub uncorrectable: u32,
    pub pending: bool,
    pub failed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Link {
    pub current: u32,
    pub max: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NvLinks {
    pub active: u32,
    pub inactive: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fabric {
    /// `not-supported`, `not-started`, `in-progress`, `completed` or the driver's number.
    pub state: String,
    /// NVML's status of the registration, meaningful once it is completed.
    pub status: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MigDevice {
    pub index: u32,
    pub uuid: Field<String>,
    pub memory_total: Field<u64>,
    pub memory_free: Field<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Smoke {
    pub sms_present: u32,
    pub sms_covered: u32,
    /// IDs of the SMs whose results differ from the host's model.
    pub sms_wrong: Vec<u32>,
    /// Of all launches.
    pub words: u64,
    pub words_wrong: u64,
    /// Whether the sums kept with atomics match the host's.
    pub sums_right: bool,
    /// How often the kernel ran.
    pub launches: u32,
    pub cooperative: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Runtime {
    /// As returned by `cudaRuntimeGetVersion`: 12040 is CUDA 12.4.
    pub version: i32,
    pub driver: i32,
    pub devices: i32,
    /// Bytes copied to the device and back.
    pub copied: u64,
    /// The first byte that came back different.
    pub wrong_at: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Blas {
    /// 10000 * major + 100 * minor + patch level, the form of `cublasLtGetVersion`.
    pub cublas: i32,
    /// Version of the libcublasLt that cuBLAS loaded; must be of the same release.
    pub cublas_lt: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cupti {
    /// As returned by `cuptiGetVersion`.
    pub version: u32,
    /// Names of the kernels in the records of the Activity API.
    pub kernels: Vec<String>,
    /// Whether the driver lets this process read hardware counters.
    pub counters: Field<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum GemmVerdict {
    /// Every element is correct.
    Exact,
    /// Number of wrong elements, and the first as `C[row, column] = got, not wanted`.
    Wrong { elements: u64, first: String },
    /// The result is exact, and shows that the inputs were not rounded to TF32.
    NotTf32,
    /// Something was written outside the matrix.
    Overrun { at: String },
}

impl Smoke {
    /// SMs that returned the expected results. None if a wrong one cannot be attributed: any SM may have computed it.
    pub fn sms_verified(&self) -> u32 {
        let unattributed = self.sms_wrong.is_empty() && (self.words_wrong > 0 || !self.sums_right);
        if unattributed { 0 } else { self.sms_covered.saturating_sub(self.sms_wrong.len() as u32) }
    }
}

impl GemmVerdict {
    /// The answer is right, in whatever precision.
    pub fn is_exact(&self) -> bool {
        matches!(self, GemmVerdict::Exact | GemmVerdict::NotTf32)
    }
}

impl From<&event::NvmlDevice> for Health {
    fn from(from: &event::NvmlDevice) -> Self {
        Health {
            index: from.index,
            uuid: from.uuid.clone(),
            name: from.name.clone(),
            pci: from.pci.clone(),
            memory_total: from.memory_total.clone(),
            memory_free: from.memory_free.clone(),
            memory_used: from.memory_used.clone(),
            compute_mode: from.compute_mode.clone(),
            compute_processes: from.compute_processes.clone(),
            utilization_percent: from.utilization_percent.clone(),
            persistence: from.persistence.clone(),
            ecc_enabled: from.ecc_enabled.clone(),
            ecc_uncorrected: from.ecc_uncorrected.clone(),
            ecc_corrected: from.ecc_corrected.clone(),
            remapped_rows: known(&from.remapped_rows),
            retired_pages_pending: from.retired_pages_pending.clone(),
            throttle: from.throttle.clone(),
            pcie_generation: known(&from.pcie_generation),
            pcie_width: known(&from.pcie_width),
            pcie_replays: from.pcie_replays.clone(),
            nvlinks: known(&from.nvlinks),
            fabric: known(&from.fabric),
            temperature: from.temperature.clone(),
            memory_temperature: from.memory_temperature.clone(),
            memory_slowdown: from.memory_slowdown.clone(),
            power: from.power.clone(),
            sm_clock: from.sm_clock.clone(),
            sm_clock_max: from.sm_clock_max.clone(),
            performance_state: from.performance_state.clone(),
            mig_enabled: from.mig_enabled.clone(),
            mig_devices: from.mig_devices.iter().map(MigDevice::from).collect(),
        }
    }
}

impl From<&event::RemappedRows> for RemappedRows {
    fn from(from: &event::RemappedRows) -> Self {
        RemappedRows {
            correctable: from.correctable,
            uncorrectable: from.uncorrectable,
            pending: from.pending,
            failed: from.failed,
        }
    }
}

impl From<&event::Link> for Link {
    fn from(from: &event::Link) -> Self {
        Link { current: from.current, max: from.max }
    }
}

impl From<&event::NvLinks> for NvLinks {
    fn from(from: &event::NvLinks) -> Self {
        NvLinks { active: from.active, inactive: from.inactive }
    }
}

impl From<&event::Fabric> for Fabric {
    fn from(from: &event::Fabric) -> Self {
        Fabric { state: from.state.clone(), status: from.status }
    }
}

impl From<&event::MigDevice> for MigDevice {
    fn from(from: &event::MigDevice) -> Self {
        MigDevice {
            index: from.index,
            uuid: from.uuid.clone(),
            memory_total: from.memory_total.clone(),
            memory_free: from.memory_free.clone(),
        }
    }
}

impl From<&event::Smoke> for Smoke {
    fn from(from: &event::Smoke) -> Self {
        Smoke {
            sms_present: from.sms_present,
            sms_covered: from.sms_covered,
            sms_wrong: from.sms_wrong.clone(),
            words: from.words,
            words_wrong: from.words_wrong,
            sums_right: from.sums_right,
            launches: from.launches,
            cooperative: from.cooperative,
        }
    }
}

impl From<&event::Runtime> for Runtime {
    fn from(from: &event::Runtime) -> Self {
        Runtime {
            version: from.version,
            driver: from.driver,
            devices: from.devices,
            copied: from.copied,
            wrong_at: from.wrong_at,
        }
    }
}

impl From<&event::Blas> for Blas {
    fn from(from: &event::Blas) -> Self {
        Blas { cublas: from.cublas, cublas_lt: from.cublas_lt }
    }
}

impl From<&event::GemmCase> for GemmCase {
    fn from(from: &event::GemmCase) -> Self {
        GemmCase {
            format: from.format.clone(),
            transpose: from.transpose.clone(),
            m: from.m,
            n: from.n,
            k: from.k,
            alpha: from.alpha,
            beta: from.beta,
            verdict: (&from.verdict).into(),
            flops: from.flops,
        }
    }
}

impl From<&event::Cupti> for Cupti {
    fn from(from: &event::Cupti) -> Self {
        Cupti { version: from.version, kernels: from.kernels.clone(), counters: from.counters.clone() }
    }
}

impl From<&event::GemmVerdict> for GemmVerdict {
    fn from(from: &event::GemmVerdict) -> Self {
        match from {
            event::GemmVerdict::Exact => GemmVerdict::Exact,
            event::GemmVerdict::Wrong { elements, first } => {
                GemmVerdict::Wrong { elements: *elements, first: first.clone() }
            }
            event::GemmVerdict::NotTf32 => GemmVerdict::NotTf32,
            event::GemmVerdict::Overrun { at } => GemmVerdict::Overrun { at: at.clone() },
        }
    }
}

fn known<'a, T, U: From<&'a T>>(field: &'a Field<T>) -> Field<U> {
    match field {
        Field::Known(value) => Field::Known(value.into()),
        Field::Unavailable { unavailable } => Field::Unavailable { unavailable: unavailable.clone() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sm_is_verified_only_if_every_wrong_result_is_attributed() {
        let verified = |sms_wrong: &[u32], words_wrong, sums_right| {
            let sms_wrong = sms_wrong.to_vec();
            let (sms_present, sms_covered) = (132, 131);
            let (words, launches, cooperative) = (4096, 1, true);
            Smoke {
                sms_present,
                sms_covered,
                sms_wrong,
                words,
                words_wrong,
                sums_right,
                launches,
                cooperative,
            }
            .sms_verified()
        };
        assert_eq!(verified(&[], 0, true), 131);
        assert_eq!(verified(&[7, 9], 3, true), 129);
        assert_eq!(verified(&[], 3, true), 0);
        assert_eq!(verified(&[], 0, false), 0);
    }
}
