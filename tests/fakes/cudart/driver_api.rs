//! The functions of libcuda that the runtime uses, looked up by name at each call.

use std::ffi::{CStr, c_int, c_uchar, c_uint, c_void};

use crate::common::{driver, script};
use crate::error;

/// What a function of libcuda returned, as a result.
fn checked(status: c_int) -> Result<(), c_int> {
    match status {
        0 => Ok(()),
        status => Err(status),
    }
}

/// # Safety
/// `F` must be the function pointer type of the symbol.
unsafe fn function<F: Copy>(name: &CStr) -> Result<F, c_int> {
    // SAFETY: the caller vouches for the type.
    unsafe { driver::function(name) }.ok_or(error::INSUFFICIENT_DRIVER)
}

pub fn version() -> Result<c_int, c_int> {
    // SAFETY: the type is that of cuda.h.
    let call = unsafe { function::<extern "C" fn(&mut c_int) -> c_int>(c"cuDriverGetVersion") }?;
    let mut version = 0;
    checked(call(&mut version)).map(|()| version)
}

/// libcuda initialized, and not of an older major version than the runtime.
pub fn initialize() -> Result<(), c_int> {
    if i64::from(version()? / 1000) < script::number(None, "runtime") as i64 / 1000 {
        return Err(error::INSUFFICIENT_DRIVER);
    }
    // SAFETY: the type is that of cuda.h.
    let call = unsafe { function::<extern "C" fn(c_uint) -> c_int>(c"cuInit") }?;
    checked(call(0))
}

pub fn device_count() -> Result<c_int, c_int> {
    // SAFETY: the type is that of cuda.h.
    let call = unsafe { function::<extern "C" fn(&mut c_int) -> c_int>(c"cuDeviceGetCount") }?;
    let mut count = 0;
    checked(call(&mut count)).map(|()| count)
}

pub fn retain(device: c_int) -> Result<usize, c_int> {
    type Retain = extern "C" fn(&mut usize, c_int) -> c_int;
    // SAFETY: the type is that of cuda.h.
    let call = unsafe { function::<Retain>(c"cuDevicePrimaryCtxRetain") }?;
    let mut context = 0;
    checked(call(&mut context, device)).map(|()| context)
}

pub fn release(device: c_int) -> Result<(), c_int> {
    let name = c"cuDevicePrimaryCtxRelease_v2";
    // SAFETY: the type is that of cuda.h.
    let call = unsafe { function::<extern "C" fn(c_int) -> c_int>(name) }?;
    checked(call(device))
}

pub fn set_current(context: usize) -> Result<(), c_int> {
    // SAFETY: the type is that of cuda.h.
    let call = unsafe { function::<extern "C" fn(usize) -> c_int>(c"cuCtxSetCurrent") }?;
    checked(call(context))
}

/// The context that is current in this thread; zero for none.
pub fn current() -> Result<usize, c_int> {
    // SAFETY: the type is that of cuda.h.
    let call = unsafe { function::<extern "C" fn(&mut usize) -> c_int>(c"cuCtxGetCurrent") }?;
    let mut context = 0;
    checked(call(&mut context)).map(|()| context)
}

pub fn current_device() -> Result<c_int, c_int> {
    // SAFETY: the type is that of cuda.h.
    let call = unsafe { function::<extern "C" fn(&mut c_int) -> c_int>(c"cuCtxGetDevice") }?;
    let mut device = 0;
    checked(call(&mut device)).map(|()| device)
}

pub fn synchronize() -> Result<(), c_int> {
    // SAFETY: the type is that of cuda.h.
    let call = unsafe { function::<extern "C" fn() -> c_int>(c"cuCtxSynchronize") }?;
    checked(call())
}

pub fn allocate(bytes: usize) -> Result<usize, c_int> {
    type Allocate = extern "C" fn(&mut usize, usize) -> c_int;
    // SAFETY: the type is that of cuda.h.
    let call = unsafe { function::<Allocate>(c"cuMemAlloc_v2") }?;
    let mut address = 0;
    checked(call(&mut address, bytes)).map(|()| address)
}

pub fn free(address: usize) -> Result<(), c_int> {
    // SAFETY: the type is that of cuda.h.
    let call = unsafe { function::<extern "C" fn(usize) -> c_int>(c"cuMemFree_v2") }?;
    checked(call(address))
}

pub fn fill(address: usize, value: c_uchar, bytes: usize) -> Result<(), c_int> {
    type Fill = extern "C" fn(usize, c_uchar, usize) -> c_int;
    // SAFETY: the type is that of cuda.h.
    let call = unsafe { function::<Fill>(c"cuMemsetD8_v2") }?;
    checked(call(address, value, bytes))
}

/// One of the three copies between host and device: all of them take two addresses and a length,
/// and an address is a pointer to the calling convention.
pub fn copy(name: &CStr, to: *mut c_void, from: *const c_void, bytes: usize) -> Result<(), c_int> {
    type Copy = extern "C" fn(*mut c_void, *const c_void, usize) -> c_int;
    // SAFETY: the type is that of cuda.h, with pointers for device addresses.
    let call = unsafe { function::<Copy>(name) }?;
    checked(call(to, from, bytes))
}
