//! Device handles, and the steps of every call about a device: the script, then NVML's checks, then the
//! answer.

use std::ffi::{c_char, c_int, c_uint};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use crate::common::abi::{call, put, text};
use crate::common::gpu::Gpu;
use crate::common::nodes;
use crate::error;

/// Opaque to callers. The lowest byte is zero for a GPU, one more than the number of the instance
/// for a MIG device; above it is the number of the GPU.
pub type Device = usize;

const FIRST: Device = 0x0E11_0000_0000;
const STEP: Device = 0x100;

#[derive(Clone, Copy)]
pub struct Target {
    pub gpu: Gpu,
    pub instance: Option<u32>,
}

const EACCES: c_int = 13;

static USERS: AtomicU32 = AtomicU32::new(0);

pub fn initialized() -> Result<(), c_int> {
    match USERS.load(SeqCst) {
        0 => Err(error::UNINITIALIZED),
        _ => Ok(()),
    }
}

pub fn device(gpu: Gpu, instance: Option<u32>) -> Device {
    let part = instance.map_or(0, |instance| instance as Device + 1);
    FIRST + gpu.0 as Device * STEP + part
}

pub fn target(device: Device) -> Option<Target> {
    let offset = device.checked_sub(FIRST)?;
    let gpu = Gpu(u32::try_from(offset / STEP).ok()?);
    let instance = ((offset % STEP) as u32).checked_sub(1);
    let exists = gpu.0 < Gpu::count() && instance.is_none_or(|id| id < gpu.instances());
    exists.then_some(Target { gpu, instance })
}

/// A call about a device.
pub fn on(symbol: &str, device: Device, body: impl FnOnce(Target) -> Result<(), c_int>) -> c_int {
    let target = target(device);
    call(symbol, target.map(|target| target.gpu.0), || {
        initialized()?;
        let target = target.ok_or(error::INVALID_ARGUMENT)?;
        reachable(target.gpu)?;
        body(target)
    })
}

/// A call that returns one value.
pub fn get<T>(
    symbol: &str,
    device: Device,
    to: *mut T,
    value: impl FnOnce(Target) -> Result<T, c_int>,
) -> c_int {
    on(symbol, device, |target| put(to, value(target)?))
}

fn reachable(gpu: Gpu) -> Result<(), c_int> {
    match gpu.is("lost") {
        true => Err(error::GPU_IS_LOST),
        false => Ok(()),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit_v2() -> c_int {
    call("nvmlInit_v2", None, begin)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlInitWithFlags(_flags: c_uint) -> c_int {
    call("nvmlInitWithFlags", None, begin)
}

fn begin() -> Result<(), c_int> {
    nodes::open("/dev/nvidiactl").map_err(|error| match error.kind() {
        ErrorKind::NotFound => error::DRIVER_NOT_LOADED,
        // Only EACCES has its own status; EPERM, from the device cgroup, does not.
        _ if error.raw_os_error() == Some(EACCES) => error::NO_PERMISSION,
        _ => error::UNKNOWN,
    })?;
    USERS.fetch_add(1, SeqCst);
    Ok(())
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlShutdown() -> c_int {
    call("nvmlShutdown", None, || {
        USERS
            .fetch_update(SeqCst, SeqCst, |users| users.checked_sub(1))
            .map(|_| ())
            .map_err(|_| error::UNINITIALIZED)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCount_v2(count: *mut c_uint) -> c_int {
    call("nvmlDeviceGetCount_v2", None, || {
        initialized()?;
        put(count, Gpu::count())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetHandleByIndex_v2(index: c_uint, to: *mut Device) -> c_int {
    let gpu = Gpu::all().find(|gpu| gpu.0 == index);
    let found = gpu.map(|gpu| device(gpu, None));
    hand_out("nvmlDeviceGetHandleByIndex_v2", found, to, error::INVALID_ARGUMENT)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetHandleByUUID(uuid: *const c_char, to: *mut Device) -> c_int {
    let uuid = text(uuid).unwrap_or_default();
    let found = Gpu::all().find_map(|gpu| {
        std::iter::once(None)
            .chain((0..gpu.instances()).map(Some))
            .find(|instance| gpu.uuid_text(*instance) == uuid)
            .map(|instance| device(gpu, instance))
    });
    hand_out("nvmlDeviceGetHandleByUUID", found, to, error::NOT_FOUND)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetHandleByPciBusId_v2(id: *const c_char, to: *mut Device) -> c_int {
    let id = text(id).unwrap_or_default().to_uppercase();
    let found = Gpu::all()
        .find(|gpu| [4, 8].iter().any(|digits| gpu.bus_id(*digits) == id))
        .map(|gpu| device(gpu, None));
    hand_out("nvmlDeviceGetHandleByPciBusId_v2", found, to, error::NOT_FOUND)
}

fn hand_out(symbol: &str, found: Option<Device>, to: *mut Device, otherwise: c_int) -> c_int {
    let gpu = found.and_then(target).map(|target| target.gpu);
    call(symbol, gpu.map(|gpu| gpu.0), || {
        initialized()?;
        let (Some(device), Some(gpu)) = (found, gpu) else {
            return Err(otherwise);
        };
        reachable(gpu)?;
        put(to, device)
    })
}
