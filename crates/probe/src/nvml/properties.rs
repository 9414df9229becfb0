//! The properties of a GPU that take more than one call, or a function that nvml-wrapper does not wrap.

use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{EccCounter, MemoryError};
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id::NVML_FI_DEV_MEMORY_TEMP;
use nvml_wrapper::{Device, Nvml};
use nvml_wrapper_sys::bindings as sys;

use super::call::{call, field, raw, reason, unavailable};
use protocol::{Fabric, Field, Link, MigDevice, NvLinks, RemappedRows};

/// The most NVLinks that a GPU has today. Querying a link that does not exist fails and costs nothing.
const NVLINKS: u32 = 18;

/// Total, free and used bytes. Drivers before 510 have only the first version of the function.
pub fn memory(nvml: &Nvml, device: &Device) -> Field<(u64, u64, u64)> {
    let second = field("nvmlDeviceGetMemoryInfo_v2", || device.memory_info());
    if let Field::Known(memory) = second {
        return Field::Known((memory.total, memory.free, memory.used));
    }
    // SAFETY: the struct holds only numbers, for which zero is valid.
    let mut memory: sys::nvmlMemory_t = unsafe { std::mem::zeroed() };
    raw(
        "nvmlDeviceGetMemoryInfo",
        &nvml.lib().nvmlDeviceGetMemoryInfo,
        // SAFETY: the handle is NVML's; `memory` has the layout of the function's first version.
        |function| unsafe { function(device.handle(), &mut memory) },
    )
    .map_or_else(unavailable, |()| Field::Known((memory.total, memory.free, memory.used)))
}

pub fn mig_devices(nvml: &Nvml, device: &Device) -> Vec<MigDevice> {
    let slots = call("nvmlDeviceGetMaxMigDeviceCount", || device.mig_device_count()).unwrap_or(0);
    let instances = (0..slots).filter_map(|index| {
        // An empty slot returns NVML_ERROR_NOT_FOUND.
        let instance =
            call("nvmlDeviceGetMigDeviceHandleByIndex", || device.mig_device_by_index(index)).ok()?;
        let memory = memory(nvml, &instance);
        Some(MigDevice {
            index,
            uuid: field("nvmlDeviceGetUUID", || instance.uuid()),
            memory_total: memory.clone().map(|memory| memory.0),
            memory_free: memory.map(|memory| memory.1),
        })
    });
    instances.collect()
}

pub fn ecc_errors(device: &Device, kind: MemoryError) -> Field<u64> {
    field("nvmlDeviceGetTotalEccErrors", || device.total_ecc_errors(kind, EccCounter::Volatile))
}

pub fn throttle_names(reasons: ThrottleReasons) -> Vec<String> {
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

/// NVML returns field values with their type; anything but an unsigned number is unexpected.
pub fn memory_temperature(device: &Device) -> Field<u32> {
    let sample = field("nvmlDeviceGetFieldValues", || {
        let mut values = device.field_values_for(&[FieldId(NVML_FI_DEV_MEMORY_TEMP)])?;
        values.pop().unwrap_or(Err(NvmlError::NotSupported))?.value
    });
    match sample {
        Field::Known(SampleValue::U32(degrees)) => Field::Known(degrees),
        Field::Known(other) => Field::Unavailable { unavailable: format!("unexpected value {other:?}") },
        Field::Unavailable { unavailable } => Field::Unavailable { unavailable },
    }
}

pub fn nvlinks(device: &Device) -> Field<NvLinks> {
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

pub fn remapped_rows(nvml: &Nvml, device: &Device) -> Field<RemappedRows> {
    let (mut correctable, mut uncorrectable, mut pending, mut failed) = (0, 0, 0, 0);
    raw(
        "nvmlDeviceGetRemappedRows",
        &nvml.lib().nvmlDeviceGetRemappedRows,
        // SAFETY: the handle is NVML's; each number is written before the call returns.
        |function| unsafe {
            function(device.handle(), &mut correctable, &mut uncorrectable, &mut pending, &mut failed)
        },
    )
    .map_or_else(unavailable, |()| {
        Field::Known(RemappedRows { correctable, uncorrectable, pending: pending != 0, failed: failed != 0 })
    })
}

pub fn fabric(nvml: &Nvml, device: &Device) -> Field<Fabric> {
    // SAFETY: the struct holds only numbers, for which zero is valid.
    let mut info: sys::nvmlGpuFabricInfo_t = unsafe { std::mem::zeroed() };
    raw(
        "nvmlDeviceGetGpuFabricInfo",
        &nvml.lib().nvmlDeviceGetGpuFabricInfo,
        // SAFETY: the handle is NVML's; `info` has the layout of the function's first version.
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

pub fn confidential_ready(nvml: &Nvml) -> Field<bool> {
    // SAFETY: the struct holds only numbers, for which zero is valid.
    let mut state: sys::nvmlConfComputeSystemState_t = unsafe { std::mem::zeroed() };
    let queried = raw(
        "nvmlSystemGetConfComputeState",
        &nvml.lib().nvmlSystemGetConfComputeState,
        // SAFETY: `state` has the layout that the function fills.
        |function| unsafe { function(&mut state) },
    );
    if let Err(fault) = queried {
        return unavailable(fault);
    }
    if state.ccFeature == 0 {
        return Field::Unavailable { unavailable: "confidential computing is off".to_owned() };
    }
    let mut ready = 0;
    raw(
        "nvmlSystemGetConfComputeGpusReadyState",
        &nvml.lib().nvmlSystemGetConfComputeGpusReadyState,
        // SAFETY: the number is written before the call returns.
        |function| unsafe { function(&mut ready) },
    )
    .map_or_else(unavailable, |()| Field::Known(ready != 0))
}

pub fn link(current: Field<u32>, max: Field<u32>) -> Field<Link> {
    match (current, max) {
        (Field::Known(current), Field::Known(max)) => Field::Known(Link { current, max }),
        (Field::Unavailable { unavailable }, _) | (_, Field::Unavailable { unavailable }) => {
            Field::Unavailable { unavailable }
        }
    }
}
