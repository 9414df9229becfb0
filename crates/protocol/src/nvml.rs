//! What NVML reports: about the system, and about each GPU.

use serde::{Deserialize, Serialize};

use crate::Field;

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
    pub memory_temperature: Field<u32>,
    /// Memory temperature at which the GPU starts to slow down, in degrees Celsius.
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

/// Compute mode, as `nvidia-smi -c` sets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComputeMode {
    Default,
    ExclusiveThread,
    Prohibited,
    ExclusiveProcess,
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
