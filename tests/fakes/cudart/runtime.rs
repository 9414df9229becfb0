//! Versions, devices, memory and copies.
//!
//! The first call of a thread that needs a context retains the primary context of the selected device, once
//! for the whole process.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::common::abi::put;
use crate::common::gpu::Gpu;
use crate::common::{driver, script};
use crate::driver_api as api;
use crate::error::{self, call};

thread_local! {
    static DEVICE: Cell<c_int> = const { Cell::new(0) };
}

/// The primary contexts that the runtime holds, by device.
static HELD: Mutex<BTreeMap<c_int, usize>> = Mutex::new(BTreeMap::new());

fn held() -> MutexGuard<'static, BTreeMap<c_int, usize>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The GPU that a call of this thread concerns, for the script.
fn gpu() -> Option<u32> {
    driver::current_gpu().or_else(|| driver::gpu_of(DEVICE.get()))
}

/// Makes the context of the selected device current, unless the thread has a current context.
fn enter() -> Result<(), c_int> {
    api::initialize()?;
    if api::current()? != 0 {
        return Ok(());
    }
    choose(DEVICE.get())
}

fn choose(device: c_int) -> Result<(), c_int> {
    let known = held().get(&device).copied();
    let context = match known {
        Some(context) => context,
        None => {
            // Without the lock: a script may make this call hang.
            let context = api::retain(device)?;
            if held().insert(device, context).is_some() {
                api::release(device)?;
            }
            context
        }
    };
    api::set_current(context)
}

#[unsafe(no_mangle)]
pub extern "C" fn cudaRuntimeGetVersion(version: *mut c_int) -> c_int {
    call("cudaRuntimeGetVersion", None, || put(version, script::number(None, "runtime") as c_int))
}

/// Zero without a driver, and no error.
#[unsafe(no_mangle)]
pub extern "C" fn cudaDriverGetVersion(version: *mut c_int) -> c_int {
    call("cudaDriverGetVersion", None, || match api::version() {
        Err(error::INSUFFICIENT_DRIVER) => put(version, 0),
        found => put(version, found?),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cudaGetDeviceCount(count: *mut c_int) -> c_int {
    call("cudaGetDeviceCount", None, || {
        put(count, 0)?;
        api::initialize()?;
        put(count, api::device_count()?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cudaSetDevice(device: c_int) -> c_int {
    call("cudaSetDevice", driver::gpu_of(device), || {
        api::initialize()?;
        if !(0..api::device_count()?).contains(&device) {
            return Err(error::INVALID_DEVICE);
        }
        choose(device)?;
        DEVICE.set(device);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cudaGetDevice(device: *mut c_int) -> c_int {
    call("cudaGetDevice", gpu(), || {
        api::initialize()?;
        put(device, api::current_device().unwrap_or(DEVICE.get()))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cudaDeviceSynchronize() -> c_int {
    call("cudaDeviceSynchronize", gpu(), || {
        enter()?;
        api::synchronize()
    })
}

/// Releases the runtime's reference; other references keep the context alive.
#[unsafe(no_mangle)]
pub extern "C" fn cudaDeviceReset() -> c_int {
    call("cudaDeviceReset", gpu(), || {
        api::initialize()?;
        let device = DEVICE.get();
        let known = held().remove(&device);
        match known {
            None => Ok(()),
            Some(_) => {
                api::set_current(0)?;
                api::release(device)
            }
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cudaMalloc(address: *mut usize, bytes: usize) -> c_int {
    call("cudaMalloc", gpu(), || {
        enter()?;
        match bytes {
            0 => put(address, 0),
            _ => put(address, api::allocate(bytes)?),
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cudaFree(address: usize) -> c_int {
    call("cudaFree", gpu(), || {
        enter()?;
        api::free(address)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cudaMemset(address: usize, value: c_int, bytes: usize) -> c_int {
    call("cudaMemset", gpu(), || {
        enter()?;
        api::fill(address, value as u8, bytes)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cudaMemcpy(to: *mut c_void, from: *const c_void, bytes: usize, kind: c_int) -> c_int {
    call("cudaMemcpy", gpu(), || {
        enter()?;
        copy(to, from, bytes, kind)
    })
}

fn copy(to: *mut c_void, from: *const c_void, bytes: usize, kind: c_int) -> Result<(), c_int> {
    const HOST_TO_HOST: c_int = 0;
    const HOST_TO_DEVICE: c_int = 1;
    const DEVICE_TO_HOST: c_int = 2;
    const DEVICE_TO_DEVICE: c_int = 3;
    const BY_ADDRESS: c_int = 4;
    if bytes == 0 {
        return Ok(());
    }
    let on_device = |address: *const c_void| driver::owns(address as usize, bytes);
    let kind = match (kind, on_device(from), on_device(to)) {
        (BY_ADDRESS, false, false) => HOST_TO_HOST,
        (BY_ADDRESS, false, true) => HOST_TO_DEVICE,
        (BY_ADDRESS, true, false) => DEVICE_TO_HOST,
        (BY_ADDRESS, true, true) => DEVICE_TO_DEVICE,
        _ => kind,
    };
    match kind {
        HOST_TO_HOST => {
            if to.is_null() || from.is_null() {
                return Err(error::INVALID_VALUE);
            }
            // SAFETY: not null, and the caller vouches for the lengths.
            unsafe { std::ptr::copy(from.cast::<u8>(), to.cast::<u8>(), bytes) };
            Ok(())
        }
        HOST_TO_DEVICE => api::copy(c"cuMemcpyHtoD_v2", to, from, bytes),
        DEVICE_TO_HOST => {
            api::copy(c"cuMemcpyDtoH_v2", to, from, bytes)?;
            spoil(to.cast(), bytes);
            Ok(())
        }
        DEVICE_TO_DEVICE => api::copy(c"cuMemcpyDtoD_v2", to, from, bytes),
        _ => Err(error::INVALID_MEMCPY_DIRECTION),
    }
}

/// Inverts the byte that the script names, if the copy includes it.
fn spoil(copied: *mut u8, bytes: usize) {
    let Some(index) = Gpu(gpu().unwrap_or(0)).option("wrong_copy") else {
        return;
    };
    if (index as usize) < bytes {
        // SAFETY: the copy wrote this byte a moment ago.
        unsafe { *copied.add(index as usize) ^= 0xFF };
    }
}
