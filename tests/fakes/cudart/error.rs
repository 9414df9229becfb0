//! The status codes of the runtime, with names and texts, and the last error of each thread.
//!
//! Since CUDA 10.1 the runtime's codes are those of the driver where both have one.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int};

use crate::common::{abi, act, driver};

pub const INVALID_VALUE: c_int = 1;
pub const INVALID_MEMCPY_DIRECTION: c_int = 21;
pub const INSUFFICIENT_DRIVER: c_int = 35;
pub const INVALID_DEVICE: c_int = 101;
pub const UNKNOWN: c_int = 999;

#[rustfmt::skip]
const ERRORS: &[(c_int, &CStr, &CStr)] = &[
    (0, c"cudaSuccess", c"no error"),
    (1, c"cudaErrorInvalidValue", c"invalid argument"),
    (2, c"cudaErrorMemoryAllocation", c"out of memory"),
    (3, c"cudaErrorInitializationError", c"initialization error"),
    (4, c"cudaErrorCudartUnloading", c"driver shutting down"),
    (21, c"cudaErrorInvalidMemcpyDirection", c"invalid copy direction for memcpy"),
    (34, c"cudaErrorStubLibrary", c"CUDA driver is a stub library"),
    (35, c"cudaErrorInsufficientDriver", c"CUDA driver version is insufficient for CUDA runtime version"),
    (46, c"cudaErrorDevicesUnavailable", c"CUDA-capable device(s) is/are busy or unavailable"),
    (100, c"cudaErrorNoDevice", c"no CUDA-capable device is detected"),
    (101, c"cudaErrorInvalidDevice", c"invalid device ordinal"),
    (200, c"cudaErrorInvalidKernelImage", c"device kernel image is invalid"),
    (201, c"cudaErrorDeviceUninitialized", c"invalid device context"),
    (209, c"cudaErrorNoKernelImageForDevice", c"no kernel image is available for execution on the device"),
    (214, c"cudaErrorECCUncorrectable", c"uncorrectable ECC error encountered"),
    (218, c"cudaErrorInvalidPtx", c"a PTX JIT compilation failed"),
    (222, c"cudaErrorUnsupportedPtxVersion", c"the provided PTX was compiled with an unsupported toolchain."),
    (400, c"cudaErrorInvalidResourceHandle", c"invalid resource handle"),
    (700, c"cudaErrorIllegalAddress", c"an illegal memory access was encountered"),
    (702, c"cudaErrorLaunchTimeout", c"the launch timed out and was terminated"),
    (709, c"cudaErrorContextIsDestroyed", c"context is destroyed"),
    (716, c"cudaErrorMisalignedAddress", c"misaligned address"),
    (719, c"cudaErrorLaunchFailure", c"unspecified launch failure"),
    (720, c"cudaErrorCooperativeLaunchTooLarge", c"too many blocks in cooperative launch"),
    (801, c"cudaErrorNotSupported", c"operation not supported"),
    (802, c"cudaErrorSystemNotReady", c"system not yet initialized"),
    (803, c"cudaErrorSystemDriverMismatch", c"system has unsupported display driver / cuda driver combination"),
    (804, c"cudaErrorCompatNotSupportedOnDevice", c"forward compatibility was attempted on non supported HW"),
    (805, c"cudaErrorMpsConnectionFailed", c"MPS client failed to connect to the MPS control daemon or the MPS server"),
    (999, c"cudaErrorUnknown", c"unknown error"),
];

thread_local! {
    static LAST: Cell<c_int> = const { Cell::new(0) };
}

/// A call whose failure `cudaGetLastError` returns.
pub fn call(symbol: &str, gpu: Option<u32>, body: impl FnOnce() -> Result<(), c_int>) -> c_int {
    let status = abi::call(symbol, gpu, body);
    if status != 0 {
        LAST.set(status);
    }
    status
}

#[unsafe(no_mangle)]
pub extern "C" fn cudaGetLastError() -> c_int {
    abi::call("cudaGetLastError", driver::current_gpu(), || match LAST.replace(0) {
        0 => Ok(()),
        status => Err(status),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cudaGetErrorName(code: c_int) -> *const c_char {
    answer("cudaGetErrorName", code, |(_, name, _)| name)
}

#[unsafe(no_mangle)]
pub extern "C" fn cudaGetErrorString(code: c_int) -> *const c_char {
    answer("cudaGetErrorString", code, |(_, _, text)| text)
}

type Row = (c_int, &'static CStr, &'static CStr);

fn answer(symbol: &str, code: c_int, part: impl Fn(&Row) -> &'static CStr) -> *const c_char {
    if act::scripted(symbol, None).is_some() {
        return std::ptr::null();
    }
    let found = ERRORS.iter().find(|(known, _, _)| *known == code);
    found.map_or(c"unrecognized error code", part).as_ptr()
}
