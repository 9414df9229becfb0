//! Identity, memory, modes and clocks of a device.

use std::ffi::{c_char, c_int, c_uint, c_ulonglong};

use crate::common::abi::{put, put_text, take};
use crate::error;
use crate::handle::{Device, get, on};
use crate::system::answer;

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetName(device: Device, name: *mut c_char, room: c_uint) -> c_int {
    on("nvmlDeviceGetName", device, |target| {
        let mut full = target.gpu.text("name").to_string();
        if target.instance.is_some() {
            full += " MIG 1g.10gb";
        }
        answer(name, room, &full)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetUUID(device: Device, uuid: *mut c_char, room: c_uint) -> c_int {
    on("nvmlDeviceGetUUID", device, |target| answer(uuid, room, &target.gpu.uuid_text(target.instance)))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetSerial(device: Device, serial: *mut c_char, room: c_uint) -> c_int {
    on("nvmlDeviceGetSerial", device, |target| answer(serial, room, &format!("16500{:08}", target.gpu.0)))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetVbiosVersion(device: Device, version: *mut c_char, room: c_uint) -> c_int {
    on("nvmlDeviceGetVbiosVersion", device, |_| answer(version, room, "96.00.5E.00.01"))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetIndex(device: Device, index: *mut c_uint) -> c_int {
    get("nvmlDeviceGetIndex", device, index, |target| Ok(target.instance.unwrap_or(target.gpu.0)))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMinorNumber(device: Device, minor: *mut c_uint) -> c_int {
    get("nvmlDeviceGetMinorNumber", device, minor, |target| Ok(target.gpu.0))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetBrand(device: Device, brand: *mut c_uint) -> c_int {
    const NVIDIA: c_uint = 14;
    get("nvmlDeviceGetBrand", device, brand, |_| Ok(NVIDIA))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetArchitecture(device: Device, architecture: *mut c_uint) -> c_int {
    get("nvmlDeviceGetArchitecture", device, architecture, |target| {
        Ok(match target.gpu.capability() {
            (0..=3, _) => 2, // Kepler
            (5, _) => 3,     // Maxwell
            (6, _) => 4,     // Pascal
            (7, 5..) => 6,   // Turing
            (7, _) => 5,     // Volta
            (8, 9..) => 8,   // Ada
            (8, _) => 7,     // Ampere
            (9, _) => 9,     // Hopper
            _ => 10,         // Blackwell
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetNumGpuCores(device: Device, cores: *mut c_uint) -> c_int {
    get("nvmlDeviceGetNumGpuCores", device, cores, |target| Ok(target.gpu.number("sms") as c_uint * 128))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCudaComputeCapability(
    device: Device,
    major: *mut c_int,
    minor: *mut c_int,
) -> c_int {
    on("nvmlDeviceGetCudaComputeCapability", device, |target| {
        let capability = target.gpu.capability();
        put(major, capability.0 as c_int)?;
        put(minor, capability.1 as c_int)
    })
}

#[repr(C)]
pub struct PciInfo {
    bus_id_legacy: [c_char; 16],
    domain: c_uint,
    bus: c_uint,
    device: c_uint,
    device_id: c_uint,
    subsystem_id: c_uint,
    bus_id: [c_char; 32],
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPciInfo_v3(device: Device, info: *mut PciInfo) -> c_int {
    get("nvmlDeviceGetPciInfo_v3", device, info, |target| {
        let mut info = PciInfo {
            bus_id_legacy: [0; 16],
            domain: 0,
            bus: target.gpu.bus(),
            device: 0,
            device_id: 0x2330_10DE,
            subsystem_id: 0x16C1_10DE,
            bus_id: [0; 32],
        };
        let (short, long) = (target.gpu.bus_id(4), target.gpu.bus_id(8));
        put_text(info.bus_id_legacy.as_mut_ptr(), 16, &short)?;
        put_text(info.bus_id.as_mut_ptr(), 32, &long)?;
        Ok(info)
    })
}

#[repr(C)]
pub struct Memory {
    total: c_ulonglong,
    free: c_ulonglong,
    used: c_ulonglong,
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMemoryInfo(device: Device, memory: *mut Memory) -> c_int {
    get("nvmlDeviceGetMemoryInfo", device, memory, |target| {
        let (total, free) = (target.gpu.total_bytes(), target.gpu.free_bytes());
        let used = total - free;
        Ok(Memory { total, free, used })
    })
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct MemoryV2 {
    version: c_uint,
    total: c_ulonglong,
    reserved: c_ulonglong,
    free: c_ulonglong,
    used: c_ulonglong,
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMemoryInfo_v2(device: Device, memory: *mut MemoryV2) -> c_int {
    const RESERVED: u64 = 512 << 20;
    get("nvmlDeviceGetMemoryInfo_v2", device, memory, |target| {
        let version = take(memory.cast_const().cast::<c_uint>())?;
        if version != revision(size_of::<MemoryV2>(), 2) {
            return Err(error::ARGUMENT_VERSION_MISMATCH);
        }
        let (total, free) = (target.gpu.total_bytes(), target.gpu.free_bytes());
        let reserved = RESERVED.min(total - free);
        Ok(MemoryV2 { version, total, reserved, free, used: total - free - reserved })
    })
}

/// How callers select the version of the struct.
pub fn revision(size: usize, number: c_uint) -> c_uint {
    size as c_uint | number << 24
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetComputeMode(device: Device, mode: *mut c_uint) -> c_int {
    get("nvmlDeviceGetComputeMode", device, mode, |target| Ok(target.gpu.number("compute_mode") as c_uint))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPersistenceMode(device: Device, mode: *mut c_uint) -> c_int {
    get("nvmlDeviceGetPersistenceMode", device, mode, |target| Ok(target.gpu.number("persistence") as c_uint))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPerformanceState(device: Device, state: *mut c_uint) -> c_int {
    get("nvmlDeviceGetPerformanceState", device, state, |_| Ok(0))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetClockInfo(device: Device, kind: c_uint, clock: *mut c_uint) -> c_int {
    get("nvmlDeviceGetClockInfo", device, clock, |_| mhz(kind))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMaxClockInfo(device: Device, kind: c_uint, clock: *mut c_uint) -> c_int {
    get("nvmlDeviceGetMaxClockInfo", device, clock, |_| mhz(kind))
}

/// Graphics, SM, memory, video, as in libcuda's attributes.
fn mhz(kind: c_uint) -> Result<c_uint, c_int> {
    match kind {
        0 | 1 => Ok(1980),
        2 => Ok(2619),
        3 => Ok(1545),
        _ => Err(error::INVALID_ARGUMENT),
    }
}
