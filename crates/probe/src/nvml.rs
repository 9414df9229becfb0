//! NVML, through nvml-wrapper: identity, memory, health and links of each GPU and MIG instance.
//!
//! Every field is a value or the reason why NVML gives none. Nothing is set, only read.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{
    Clock, ComputeMode, EccCounter, MemoryError, PerformanceState, TemperatureSensor,
};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};
use nvml_wrapper_sys::bindings as sys;

use crate::emit::{emit, enter, stage};
use crate::{ffi, pages, process};
use protocol::{
    Api, Event, Fabric, Fault, Field, Link, MigDevice, NvLinks, NvmlDevice, NvmlSystem, RemappedRows, Stage,
};

const SONAME: &str = "libnvidia-ml.so.1";

/// NVLinks that a GPU of today has at most; asking further costs nothing but is refused.
const NVLINKS: u32 = 18;

/// GPUs that are being asked.
pub struct Pending {
    answered: Receiver<()>,
    gpus: u32,
}

impl Pending {
    /// Waits until every GPU has been asked, or until `end`.
    pub fn wait(self, end: Instant) {
        for _ in 0..self.gpus {
            if self.answered.recv_timeout(end.saturating_duration_since(Instant::now())).is_err() {
                return;
            }
        }
    }
}

/// Initialises NVML and starts a thread for each GPU. `None` where there is no NVML.
pub fn start() -> Option<Pending> {
    // nvml-wrapper opens the library again by its soname, which gives the same handle.
    stage(Stage::LoadNvml, None, || Ok(ffi::open("libnvidia-ml", &[], &[SONAME])?))?;
    pages::enlarge("libnvidia-ml");
    let (nvml, gpus) = stage(Stage::NvmlInit, None, || {
        let init = || Nvml::builder().lib_path(SONAME.as_ref()).init();
        // Leaked, so that no thread outlives it and nvmlShutdown is never run beside a stuck call.
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
    let (tell, answered) = channel();
    for index in 0..gpus {
        let tell = tell.clone();
        let ask = move || {
            stage(Stage::NvmlDevice, Some(index), || {
                let device = call("nvmlDeviceGetHandleByIndex_v2", || nvml.device_by_index(index))?;
                let described = describe(index, nvml, &device);
                emit(&Event::NvmlDevice(Box::new(described)));
                LOST.take().map_or(Ok(()), |fault| Err(fault.into()))
            });
            let _ = tell.send(());
        };
        // Where no thread may be started (a limit of processes), this one asks.
        if thread::Builder::new().spawn(ask.clone()).is_err() {
            ask();
        }
    }
    // /proc shows the first thread's name; while it waits, what it waits for is this.
    process::show(Stage::NvmlDevice, None);
    Some(Pending { answered, gpus })
}

fn describe(index: u32, nvml: &Nvml, device: &Device) -> NvmlDevice {
    let memory = memory(nvml, device);
    let mig_enabled = map(field("nvmlDeviceGetMigMode", || device.mig_mode()), |mode| mode.current == 1);
    let mig_devices = if mig_enabled == Field::Known(true) { mig_devices(nvml, device) } else { Vec::new() };
    NvmlDevice {
        index,
        uuid: field("nvmlDeviceGetUUID", || device.uuid()),
        name: field("nvmlDeviceGetName", || device.name()),
        pci: map(field("nvmlDeviceGetPciInfo_v3", || device.pci_info()), |pci| pci.bus_id),
        memory_total: map(memory.clone(), |memory| memory.0),
        memory_free: map(memory.clone(), |memory| memory.1),
        memory_used: map(memory, |memory| memory.2),
        compute_mode: map(field("nvmlDeviceGetComputeMode", || device.compute_mode()), |mode| match mode {
            ComputeMode::Default => protocol::ComputeMode::Default,
            ComputeMode::ExclusiveThread => protocol::ComputeMode::ExclusiveThread,
            ComputeMode::ExclusiveProcess => protocol::ComputeMode::ExclusiveProcess,
            ComputeMode::Prohibited => protocol::ComputeMode::Prohibited,
        }),
        compute_processes: field("nvmlDeviceGetComputeRunningProcesses_v3", || {
            device.running_compute_processes_count()
        }),
        utilization_percent: map(
            field("nvmlDeviceGetUtilizationRates", || device.utilization_rates()),
            |use_| use_.gpu,
        ),
        persistence: field("nvmlDeviceGetPersistenceMode", || device.is_in_persistent_mode()),
        ecc_enabled: map(field("nvmlDeviceGetEccMode", || device.is_ecc_enabled()), |ecc| {
            ecc.currently_enabled
        }),
        ecc_uncorrected: ecc_errors(device, MemoryError::Uncorrected),
        ecc_corrected: ecc_errors(device, MemoryError::Corrected),
        remapped_rows: remapped_rows(nvml, device),
        retired_pages_pending: field("nvmlDeviceGetRetiredPagesPendingStatus", || {
            device.are_pages_pending_retired()
        }),
        throttle: map(
            field("nvmlDeviceGetCurrentClocksThrottleReasons", || device.current_throttle_reasons()),
            throttle_names,
        ),
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
        power: field("nvmlDeviceGetPowerUsage", || device.power_usage()),
        sm_clock: field("nvmlDeviceGetClockInfo", || device.clock_info(Clock::SM)),
        sm_clock_max: field("nvmlDeviceGetMaxClockInfo", || device.max_clock_info(Clock::SM)),
        performance_state: map(
            field("nvmlDeviceGetPerformanceState", || device.performance_state()),
            |state: PerformanceState| format!("P{}", state.as_c()),
        ),
        mig_enabled,
        mig_devices,
    }
}

/// Total, free and used bytes. The wrapper's call exists since driver 510; before, the first version.
fn memory(nvml: &Nvml, device: &Device) -> Field<(u64, u64, u64)> {
    let second = field("nvmlDeviceGetMemoryInfo_v2", || device.memory_info());
    if let Field::Known(memory) = second {
        return Field::Known((memory.total, memory.free, memory.used));
    }
    // SAFETY: the struct is numbers alone, for which zero is valid.
    let mut memory: sys::nvmlMemory_t = unsafe { std::mem::zeroed() };
    raw(
        "nvmlDeviceGetMemoryInfo",
        &nvml.lib().nvmlDeviceGetMemoryInfo,
        // SAFETY: the handle is NVML's own; `memory` has the layout of the function's first version.
        |function| unsafe { function(device.handle(), &mut memory) },
    )
    .map_or_else(unavailable, |()| Field::Known((memory.total, memory.free, memory.used)))
}

fn mig_devices(nvml: &Nvml, device: &Device) -> Vec<MigDevice> {
    let slots = call("nvmlDeviceGetMaxMigDeviceCount", || device.mig_device_count()).unwrap_or(0);
    let instances = (0..slots).filter_map(|index| {
        // An empty slot answers "not found": that is how NVML lists fewer instances than slots.
        let instance =
            call("nvmlDeviceGetMigDeviceHandleByIndex", || device.mig_device_by_index(index)).ok()?;
        let memory = memory(nvml, &instance);
        Some(MigDevice {
            index,
            uuid: field("nvmlDeviceGetUUID", || instance.uuid()),
            memory_total: map(memory.clone(), |memory| memory.0),
            memory_free: map(memory, |memory| memory.1),
        })
    });
    instances.collect()
}

fn ecc_errors(device: &Device, kind: MemoryError) -> Field<u64> {
    field("nvmlDeviceGetTotalEccErrors", || device.total_ecc_errors(kind, EccCounter::Volatile))
}

fn throttle_names(reasons: ThrottleReasons) -> Vec<String> {
    let names = [
        (ThrottleReasons::GPU_IDLE, "idle"),
        (ThrottleReasons::APPLICATIONS_CLOCKS_SETTING, "application-clocks"),
        (ThrottleReasons::SW_POWER_CAP, "power-cap"),
        (ThrottleReasons::HW_SLOWDOWN, "hardware-slowdown"),
        (ThrottleReasons::SYNC_BOOST, "sync-boost"),
        (ThrottleReasons::SW_THERMAL_SLOWDOWN, "software-thermal"),
        (ThrottleReasons::HW_THERMAL_SLOWDOWN, "hardware-thermal"),
        (ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN, "power-brake"),
        (ThrottleReasons::DISPLAY_CLOCK_SETTING, "display-clock"),
    ];
    names.iter().filter(|(reason, _)| reasons.contains(*reason)).map(|(_, name)| (*name).to_owned()).collect()
}

fn nvlinks(device: &Device) -> Field<NvLinks> {
    let (mut active, mut inactive, mut refused) = (0, 0, None);
    for link in 0..NVLINKS {
        match call("nvmlDeviceGetNvLinkState", || device.link_wrapper_for(link).is_active()) {
            Ok(true) => active += 1,
            Ok(false) => inactive += 1,
            Err(fault) => {
                refused.get_or_insert(fault);
            }
        }
    }
    match refused {
        Some(fault) if active + inactive == 0 => Field::Unavailable { unavailable: reason(&fault) },
        _ => Field::Known(NvLinks { active, inactive }),
    }
}

fn remapped_rows(nvml: &Nvml, device: &Device) -> Field<RemappedRows> {
    let (mut correctable, mut uncorrectable, mut pending, mut failed) = (0, 0, 0, 0);
    raw(
        "nvmlDeviceGetRemappedRows",
        &nvml.lib().nvmlDeviceGetRemappedRows,
        // SAFETY: the handle is NVML's own; each number is written once, before the call returns.
        |function| unsafe {
            function(device.handle(), &mut correctable, &mut uncorrectable, &mut pending, &mut failed)
        },
    )
    .map_or_else(unavailable, |()| {
        Field::Known(RemappedRows { correctable, uncorrectable, pending: pending != 0, failed: failed != 0 })
    })
}

fn fabric(nvml: &Nvml, device: &Device) -> Field<Fabric> {
    // SAFETY: the struct is numbers alone, for which zero is valid.
    let mut info: sys::nvmlGpuFabricInfo_t = unsafe { std::mem::zeroed() };
    raw(
        "nvmlDeviceGetGpuFabricInfo",
        &nvml.lib().nvmlDeviceGetGpuFabricInfo,
        // SAFETY: the handle is NVML's own; `info` has the layout of the function's first version.
        |function| unsafe { function(device.handle(), &mut info) },
    )
    .map_or_else(unavailable, |()| {
        let state = match info.state {
            0 => "not-supported".to_owned(),
            1 => "not-started".to_owned(),
            2 => "in-progress".to_owned(),
            3 => "completed".to_owned(),
            other => other.to_string(),
        };
        Field::Known(Fabric { state, status: info.status })
    })
}

fn confidential_ready(nvml: &Nvml) -> Field<bool> {
    // SAFETY: the struct is numbers alone, for which zero is valid.
    let mut state: sys::nvmlConfComputeSystemState_t = unsafe { std::mem::zeroed() };
    let asked = raw(
        "nvmlSystemGetConfComputeState",
        &nvml.lib().nvmlSystemGetConfComputeState,
        // SAFETY: `state` has the layout that the function fills.
        |function| unsafe { function(&mut state) },
    );
    if let Err(fault) = asked {
        return unavailable(fault);
    }
    if state.ccFeature == 0 {
        return Field::Unavailable { unavailable: "confidential computing is off".to_owned() };
    }
    let mut ready = 0;
    raw(
        "nvmlSystemGetConfComputeGpusReadyState",
        &nvml.lib().nvmlSystemGetConfComputeGpusReadyState,
        // SAFETY: the number is written once, before the call returns.
        |function| unsafe { function(&mut ready) },
    )
    .map_or_else(unavailable, |()| Field::Known(ready != 0))
}

/// A function that nvml-wrapper does not wrap, by nvml-wrapper-sys's own table.
fn raw<F, E: std::fmt::Display>(
    name: &str,
    symbol: &Result<F, E>,
    function: impl FnOnce(&F) -> sys::nvmlReturn_t,
) -> Result<(), Fault> {
    enter(name);
    let fault = |code, detail| Fault { api: Api::Nvml, call: name.to_owned(), code, name: None, detail };
    match symbol {
        Err(_) => Err(fault(None, "this driver's NVML has no such function".to_owned())),
        Ok(symbol) => match function(symbol) {
            0 => Ok(()),
            code => Err(fault(Some(i64::from(code)), error_text(code))),
        },
    }
    .inspect_err(remember_loss)
}

/// What nvml-wrapper says of a code that it knows; nothing of one that it does not.
fn error_text(code: sys::nvmlReturn_t) -> String {
    match nvml_wrapper::error::nvml_try(code) {
        Err(error) if !matches!(error, NvmlError::UnexpectedVariant(_)) => error.to_string(),
        _ => String::new(),
    }
}

fn call<T>(name: &str, ask: impl FnOnce() -> Result<T, NvmlError>) -> Result<T, Fault> {
    enter(name);
    ask().map_err(|error| fault(name, error)).inspect_err(remember_loss)
}

thread_local! {
    /// The first answer to this thread that its GPU is gone.
    static LOST: RefCell<Option<Fault>> = const { RefCell::new(None) };
}

/// NVML_ERROR_GPU_IS_LOST and NVML_ERROR_RESET_REQUIRED: whatever else of it was answered, from tables in
/// memory, a GPU that says so in any answer cannot be worked with.
fn remember_loss(fault: &Fault) {
    if matches!(fault.code, Some(15 | 16)) {
        LOST.with_borrow_mut(|lost| {
            lost.get_or_insert_with(|| fault.clone());
        });
    }
}

fn fault(name: &str, error: NvmlError) -> Fault {
    use NvmlError::*;
    // Faults of the wrapper itself carry no NVML status, and must not be given one.
    let own = matches!(
        error,
        Utf8Error(_)
            | NulError(_)
            | LibloadingError(_)
            | FailedToLoadSymbol(_)
            | StringTooLong { .. }
            | IncorrectBits(_)
            | SetReleaseFailed
            | GetPciInfoFailed
            | PciInfoToCFailed
    );
    let detail = if matches!(error, UnexpectedVariant(_)) { String::new() } else { error.to_string() };
    let code = (!own).then(|| i64::from(sys::nvmlReturn_t::from(error)));
    Fault { api: Api::Nvml, call: name.to_owned(), code, name: None, detail }
}

fn field<T>(name: &str, ask: impl FnOnce() -> Result<T, NvmlError>) -> Field<T> {
    call(name, ask).map_or_else(unavailable, Field::Known)
}

fn unavailable<T>(fault: Fault) -> Field<T> {
    Field::Unavailable { unavailable: reason(&fault) }
}

/// One phrase: what NVML said, and its number.
fn reason(fault: &Fault) -> String {
    match (fault.code, fault.detail.as_str()) {
        (Some(code), "") => format!("NVML status {code}"),
        (Some(code), detail) => format!("{detail} (NVML status {code})"),
        (None, detail) => detail.to_owned(),
    }
}

fn map<T, U>(field: Field<T>, convert: impl FnOnce(T) -> U) -> Field<U> {
    match field {
        Field::Known(value) => Field::Known(convert(value)),
        Field::Unavailable { unavailable } => Field::Unavailable { unavailable },
    }
}

fn link(current: Field<u32>, max: Field<u32>) -> Field<Link> {
    match (current, max) {
        (Field::Known(current), Field::Known(max)) => Field::Known(Link { current, max }),
        (Field::Unavailable { unavailable }, _) | (_, Field::Unavailable { unavailable }) => {
            Field::Unavailable { unavailable }
        }
    }
}
