//! MIG: each instance of a GPU is a device with its own handle.

use std::ffi::{c_int, c_uint};

use crate::common::abi::put;
use crate::common::gpu::Gpu;
use crate::error;
use crate::handle::{Device, Target, device, get, on};

/// The data center GPUs since Ampere.
fn can_be_cut(gpu: Gpu) -> bool {
    matches!(gpu.capability(), (8..=10, 0)) || gpu.instances() > 0
}

fn instance(target: Target) -> Result<c_uint, c_int> {
    target.instance.ok_or(error::INVALID_ARGUMENT)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMigMode(device: Device, current: *mut c_uint, pending: *mut c_uint) -> c_int {
    on("nvmlDeviceGetMigMode", device, |target| {
        if !can_be_cut(target.gpu) {
            return Err(error::NOT_SUPPORTED);
        }
        let mode = (target.gpu.instances() > 0 || target.gpu.is("mig_mode")).into();
        put(current, mode)?;
        put(pending, mode)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMaxMigDeviceCount(device: Device, count: *mut c_uint) -> c_int {
    get("nvmlDeviceGetMaxMigDeviceCount", device, count, |target| {
        Ok(if can_be_cut(target.gpu) { 7 } else { 0 })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMigDeviceHandleByIndex(
    parent: Device,
    index: c_uint,
    to: *mut Device,
) -> c_int {
    get("nvmlDeviceGetMigDeviceHandleByIndex", parent, to, |target| match index < target.gpu.instances() {
        true => Ok(device(target.gpu, Some(index))),
        false => Err(error::NOT_FOUND),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceIsMigDeviceHandle(device: Device, answer: *mut c_uint) -> c_int {
    get("nvmlDeviceIsMigDeviceHandle", device, answer, |target| Ok(target.instance.is_some().into()))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetDeviceHandleFromMigDeviceHandle(part: Device, to: *mut Device) -> c_int {
    let symbol = "nvmlDeviceGetDeviceHandleFromMigDeviceHandle";
    get(symbol, part, to, |target| {
        instance(target)?;
        Ok(device(target.gpu, None))
    })
}

/// Ids of GPU instances start at 1: the whole GPU is instance 0.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetGpuInstanceId(device: Device, id: *mut c_uint) -> c_int {
    get("nvmlDeviceGetGpuInstanceId", device, id, |target| Ok(instance(target)? + 1))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetComputeInstanceId(device: Device, id: *mut c_uint) -> c_int {
    get("nvmlDeviceGetComputeInstanceId", device, id, |target| instance(target).map(|_| 0))
}
