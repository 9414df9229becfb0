//! Memory errors, remapped rows, throttling, temperature and power.

use std::ffi::{c_int, c_uint, c_ulonglong};

use crate::common::abi::{item, put, put_item};
use crate::common::gpu::Gpu;
use crate::error;
use crate::handle::{Device, Target, get, on};

const UNCORRECTED: c_uint = 1;

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetEccMode(device: Device, current: *mut c_uint, pending: *mut c_uint) -> c_int {
    on("nvmlDeviceGetEccMode", device, |target| {
        let mode = target.gpu.number("ecc") as c_uint;
        put(current, mode)?;
        put(pending, mode)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetTotalEccErrors(
    device: Device,
    kind: c_uint,
    counter: c_uint,
    count: *mut c_ulonglong,
) -> c_int {
    get("nvmlDeviceGetTotalEccErrors", device, count, |target| errors(target, kind, counter))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMemoryErrorCounter(
    device: Device,
    kind: c_uint,
    counter: c_uint,
    location: c_uint,
    count: *mut c_ulonglong,
) -> c_int {
    const DRAM: c_uint = 2;
    const LOCATIONS: c_uint = 8;
    get("nvmlDeviceGetMemoryErrorCounter", device, count, |target| match location {
        LOCATIONS.. => Err(error::INVALID_ARGUMENT),
        DRAM => errors(target, kind, counter),
        _ => errors(target, kind, counter).map(|_| 0),
    })
}

/// The same number since the last reload and over the life of the board.
fn errors(target: Target, kind: c_uint, counter: c_uint) -> Result<c_ulonglong, c_int> {
    match (kind, counter) {
        (2.., _) | (_, 2..) => Err(error::INVALID_ARGUMENT),
        _ if !target.gpu.is("ecc") => Err(error::NOT_SUPPORTED),
        (UNCORRECTED, _) => Ok(target.gpu.number("ecc_uncorrected")),
        _ => Ok(0),
    }
}

/// Row remapping came with Ampere; older GPUs retire pages.
fn remaps_rows(gpu: Gpu) -> Result<(), c_int> {
    match gpu.capability() {
        (8.., _) => Ok(()),
        _ => Err(error::NOT_SUPPORTED),
    }
}

fn flag(gpu: Gpu, key: &str) -> c_uint {
    gpu.is(key).into()
}

fn uncorrectable_rows(gpu: Gpu) -> c_uint {
    (gpu.number("remap_pending") + gpu.number("remap_failed")) as c_uint
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetRemappedRows(
    device: Device,
    correctable: *mut c_uint,
    uncorrectable: *mut c_uint,
    pending: *mut c_uint,
    failed: *mut c_uint,
) -> c_int {
    on("nvmlDeviceGetRemappedRows", device, |target| {
        remaps_rows(target.gpu)?;
        put(correctable, 0)?;
        put(uncorrectable, uncorrectable_rows(target.gpu))?;
        put(pending, flag(target.gpu, "remap_pending"))?;
        put(failed, flag(target.gpu, "remap_failed"))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetRetiredPagesPendingStatus(device: Device, pending: *mut c_uint) -> c_int {
    let symbol = "nvmlDeviceGetRetiredPagesPendingStatus";
    get(symbol, device, pending, |target| match remaps_rows(target.gpu) {
        Ok(()) => Err(error::NOT_SUPPORTED),
        Err(_) => Ok(flag(target.gpu, "remap_pending")),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCurrentClocksThrottleReasons(
    device: Device,
    reasons: *mut c_ulonglong,
) -> c_int {
    let symbol = "nvmlDeviceGetCurrentClocksThrottleReasons";
    get(symbol, device, reasons, |target| Ok(target.gpu.number("throttle")))
}

/// The newer name of the same call.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCurrentClocksEventReasons(device: Device, reasons: *mut c_ulonglong) -> c_int {
    let symbol = "nvmlDeviceGetCurrentClocksEventReasons";
    get(symbol, device, reasons, |target| Ok(target.gpu.number("throttle")))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetTemperature(device: Device, sensor: c_uint, degrees: *mut c_uint) -> c_int {
    get("nvmlDeviceGetTemperature", device, degrees, |_| match sensor {
        0 => Ok(40),
        _ => Err(error::INVALID_ARGUMENT),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetTemperatureThreshold(
    device: Device,
    threshold: c_uint,
    degrees: *mut c_uint,
) -> c_int {
    let symbol = "nvmlDeviceGetTemperatureThreshold";
    get(symbol, device, degrees, |_| match threshold {
        0 => Ok(92), // shutdown
        1 => Ok(90), // slowdown
        2 => Ok(95), // memory
        3 => Ok(87), // GPU
        4..=7 => Err(error::NOT_SUPPORTED),
        _ => Err(error::INVALID_ARGUMENT),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPowerUsage(device: Device, milliwatts: *mut c_uint) -> c_int {
    get("nvmlDeviceGetPowerUsage", device, milliwatts, |_| Ok(70_000))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetEnforcedPowerLimit(device: Device, milliwatts: *mut c_uint) -> c_int {
    let symbol = "nvmlDeviceGetEnforcedPowerLimit";
    get(symbol, device, milliwatts, |_| Ok(700_000))
}

#[repr(C)]
pub struct Utilization {
    gpu: c_uint,
    memory: c_uint,
}

/// A GPU with MIG instances has no utilization.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetUtilizationRates(device: Device, rates: *mut Utilization) -> c_int {
    get("nvmlDeviceGetUtilizationRates", device, rates, |target| match target.gpu.instances() {
        0 => Ok(Utilization { gpu: 0, memory: 0 }),
        _ => Err(error::NOT_SUPPORTED),
    })
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct FieldValue {
    field: c_uint,
    scope: c_uint,
    timestamp: i64,
    latency: i64,
    kind: c_uint,
    status: c_int,
    /// A union of eight bytes.
    value: u64,
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetFieldValues(device: Device, count: c_int, values: *mut FieldValue) -> c_int {
    const UNSIGNED_INT: c_uint = 1;
    on("nvmlDeviceGetFieldValues", device, |target| {
        for index in 0..usize::try_from(count).map_err(|_| error::INVALID_ARGUMENT)? {
            let mut field = item(values.cast_const(), index)?;
            let answer = field_value(target.gpu, field.field);
            field.kind = UNSIGNED_INT;
            field.status = answer.err().unwrap_or(0);
            field.value = answer.unwrap_or(0).into();
            put_item(values, index, field)?;
        }
        Ok(())
    })
}

fn field_value(gpu: Gpu, field: c_uint) -> Result<c_uint, c_int> {
    match field {
        1 | 2 => Ok(gpu.number("ecc") as c_uint), // ECC mode, current and pending
        82 => Ok(gpu.number("memory_temperature") as c_uint),
        91 => Ok(gpu.number("nvlinks") as c_uint),
        142..=145 => {
            remaps_rows(gpu)?;
            Ok(match field {
                142 => 0,
                143 => uncorrectable_rows(gpu),
                144 => flag(gpu, "remap_pending"),
                _ => flag(gpu, "remap_failed"),
            })
        }
        _ => Err(error::NOT_SUPPORTED),
    }
}
