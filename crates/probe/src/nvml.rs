//! NVML, through nvml-wrapper: identity, memory, health and links of each GPU and MIG instance.
//!
//! Every field is a value or the reason why NVML reports none. Settings are read, never changed.

mod call;
mod properties;

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use nvml_wrapper::enum_wrappers::device::{
    Clock, ComputeMode, MemoryError, TemperatureSensor, TemperatureThreshold,
};
use nvml_wrapper::{Device, Nvml};

use crate::emit::{emit, stage};
use crate::{ffi, pages, process};
use call::{call, field};
use properties::{
    confidential_ready, ecc_errors, fabric, link, memory, memory_temperature, mig_devices, nvlinks,
    remapped_rows, throttle_names,
};
use protocol::{Event, Field, NvmlDevice, NvmlSystem, Stage};

const SONAME: &str = "libnvidia-ml.so.1";

/// Threads that query one GPU each.
pub struct Queries {
    finished: Receiver<()>,
    gpus: u32,
}

impl Queries {
    /// Waits until every GPU has been queried, or until `end`.
    pub fn wait(self, end: Instant) {
        for _ in 0..self.gpus {
            if self.finished.recv_timeout(end.saturating_duration_since(Instant::now())).is_err() {
                return;
            }
        }
    }
}

/// Initializes NVML and starts a thread for each GPU. `None` if NVML could not be initialized.
pub fn start() -> Option<Queries> {
    // nvml-wrapper opens the library again by its soname, which returns the same handle.
    stage(Stage::LoadNvml, None, || Ok(ffi::open("libnvidia-ml", &[], &[SONAME])?))?;
    pages::enlarge("libnvidia-ml");
    let (nvml, gpus) = stage(Stage::NvmlInit, None, || {
        let init = || Nvml::builder().lib_path(SONAME.as_ref()).init();
        // Leaked, so that nvmlShutdown never runs beside a call that is stuck in another thread.
        let nvml: &'static Nvml = Box::leak(Box::new(call("nvmlInit_v2", init)?));
        let gpus = call("nvmlDeviceGetCount_v2", || nvml.device_count())?;
        emit(&Event::Nvml(NvmlSystem {
            driver: field("nvmlSystemGetDriverVersion", || nvml.sys_driver_version()),
            nvml: field("nvmlSystemGetNVMLVersion", || nvml.sys_nvml_version()),
            cuda: field("nvmlSystemGetCudaDriverVersion_v2", || nvml.sys_cuda_driver_version()),
            gpus,
            confidential_ready: confidential_ready(nvml),
        }));
        Ok((nvml, gpus))
    })?;
    let (sender, finished) = channel();
    for index in 0..gpus {
        let sender = sender.clone();
        let query = move || {
            stage(Stage::NvmlDevice, Some(index), || {
                let device = call("nvmlDeviceGetHandleByIndex_v2", || nvml.device_by_index(index))?;
                let described = describe(index, nvml, &device);
                emit(&Event::NvmlDevice(Box::new(described)));
                call::take_loss().map_or(Ok(()), |fault| Err(fault.into()))
            });
            let _ = sender.send(());
        };
        // At the limit of processes, query in this thread.
        if thread::Builder::new().spawn(query.clone()).is_err() {
            query();
        }
    }
    // /proc shows the name of the first thread, which waits for the others.
    process::show(Stage::NvmlDevice, None);
    Some(Queries { finished, gpus })
}

fn describe(index: u32, nvml: &Nvml, device: &Device) -> NvmlDevice {
    let memory = memory(nvml, device);
    let mig_enabled = field("nvmlDeviceGetMigMode", || device.mig_mode()).map(|mode| mode.current == 1);
    let mig_devices = if mig_enabled == Field::Known(true) { mig_devices(nvml, device) } else { Vec::new() };
    NvmlDevice {
        index,
        uuid: field("nvmlDeviceGetUUID", || device.uuid()),
        name: field("nvmlDeviceGetName", || device.name()),
        pci: field("nvmlDeviceGetPciInfo_v3", || device.pci_info()).map(|pci| pci.bus_id),
        memory_total: memory.clone().map(|memory| memory.0),
        memory_free: memory.clone().map(|memory| memory.1),
        memory_used: memory.map(|memory| memory.2),
        compute_mode: field("nvmlDeviceGetComputeMode", || device.compute_mode()).map(|mode| match mode {
            ComputeMode::Default => protocol::ComputeMode::Default,
            ComputeMode::ExclusiveThread => protocol::ComputeMode::ExclusiveThread,
            ComputeMode::ExclusiveProcess => protocol::ComputeMode::ExclusiveProcess,
            ComputeMode::Prohibited => protocol::ComputeMode::Prohibited,
        }),
        compute_processes: field("nvmlDeviceGetComputeRunningProcesses_v3", || {
            device.running_compute_processes_count()
        }),
        utilization_percent: field("nvmlDeviceGetUtilizationRates", || device.utilization_rates())
            .map(|utilization| utilization.gpu),
        persistence: field("nvmlDeviceGetPersistenceMode", || device.is_in_persistent_mode()),
        ecc_enabled: field("nvmlDeviceGetEccMode", || device.is_ecc_enabled())
            .map(|ecc| ecc.currently_enabled),
        ecc_uncorrected: ecc_errors(device, MemoryError::Uncorrected),
        ecc_corrected: ecc_errors(device, MemoryError::Corrected),
        remapped_rows: remapped_rows(nvml, device),
        retired_pages_pending: field("nvmlDeviceGetRetiredPagesPendingStatus", || {
            device.are_pages_pending_retired()
        }),
        throttle: field("nvmlDeviceGetCurrentClocksThrottleReasons", || device.current_throttle_reasons())
            .map(throttle_names),
        pcie_generation: link(
            field("nvmlDeviceGetCurrPcieLinkGeneration", || device.current_pcie_link_gen()),
            field("nvmlDeviceGetMaxPcieLinkGeneration", || device.max_pcie_link_gen()),
        ),
        pcie_width: link(
            field("nvmlDeviceGetCurrPcieLinkWidth", || device.current_pcie_link_width()),
            field("nvmlDeviceGetMaxPcieLinkWidth", || device.max_pcie_link_width()),
        ),
        pcie_replays: field("nvmlDeviceGetPcieReplayCounter", || device.pcie_replay_counter()),
        nvlinks: nvlinks(device),
        fabric: fabric(nvml, device),
        temperature: field("nvmlDeviceGetTemperature", || device.temperature(TemperatureSensor::Gpu)),
        memory_temperature: memory_temperature(device),
        memory_slowdown: field("nvmlDeviceGetTemperatureThreshold", || {
            device.temperature_threshold(TemperatureThreshold::MemoryMax)
        }),
        power: field("nvmlDeviceGetPowerUsage", || device.power_usage()),
        sm_clock: field("nvmlDeviceGetClockInfo", || device.clock_info(Clock::SM)),
        sm_clock_max: field("nvmlDeviceGetMaxClockInfo", || device.max_clock_info(Clock::SM)),
        performance_state: field("nvmlDeviceGetPerformanceState", || device.performance_state())
            .map(|state| format!("P{}", state.as_c())),
        mig_enabled,
        mig_devices,
    }
}
