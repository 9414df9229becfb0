//! The status codes of CUPTI and their names, the last error of each thread, and the version.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_uint};

use crate::common::abi::{self, put};
use crate::common::{driver, script};

pub const INVALID_PARAMETER: c_int = 1;
pub const INVALID_CONTEXT: c_int = 3;
pub const INVALID_OPERATION: c_int = 7;
pub const MAX_LIMIT_REACHED: c_int = 12;
pub const NOT_INITIALIZED: c_int = 15;
pub const INVALID_KIND: c_int = 21;
pub const INSUFFICIENT_PRIVILEGES: c_int = 35;
pub const MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED: c_int = 39;
pub const UNKNOWN: c_int = 999;

const NAMES: &[(c_int, &CStr)] = &[
    (0, c"CUPTI_SUCCESS"),
    (1, c"CUPTI_ERROR_INVALID_PARAMETER"),
    (2, c"CUPTI_ERROR_INVALID_DEVICE"),
    (3, c"CUPTI_ERROR_INVALID_CONTEXT"),
    (7, c"CUPTI_ERROR_INVALID_OPERATION"),
    (8, c"CUPTI_ERROR_OUT_OF_MEMORY"),
    (9, c"CUPTI_ERROR_HARDWARE"),
    (10, c"CUPTI_ERROR_PARAMETER_SIZE_NOT_SUFFICIENT"),
    (11, c"CUPTI_ERROR_API_NOT_IMPLEMENTED"),
    (12, c"CUPTI_ERROR_MAX_LIMIT_REACHED"),
    (13, c"CUPTI_ERROR_NOT_READY"),
    (14, c"CUPTI_ERROR_NOT_COMPATIBLE"),
    (15, c"CUPTI_ERROR_NOT_INITIALIZED"),
    (19, c"CUPTI_ERROR_INVALID_HANDLE"),
    (21, c"CUPTI_ERROR_INVALID_KIND"),
    (23, c"CUPTI_ERROR_DISABLED"),
    (26, c"CUPTI_ERROR_HARDWARE_BUSY"),
    (27, c"CUPTI_ERROR_NOT_SUPPORTED"),
    (33, c"CUPTI_ERROR_VIRTUALIZED_DEVICE_NOT_SUPPORTED"),
    (35, c"CUPTI_ERROR_INSUFFICIENT_PRIVILEGES"),
    (38, c"CUPTI_ERROR_LEGACY_PROFILER_NOT_SUPPORTED"),
    (39, c"CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED"),
    (40, c"CUPTI_ERROR_VIRTUALIZED_DEVICE_INSUFFICIENT_PRIVILEGES"),
    (41, c"CUPTI_ERROR_CONFIDENTIAL_COMPUTING_NOT_SUPPORTED"),
    (42, c"CUPTI_ERROR_CMP_DEVICE_NOT_SUPPORTED"),
    (999, c"CUPTI_ERROR_UNKNOWN"),
];

thread_local! {
    static LAST: Cell<c_int> = const { Cell::new(0) };
}

/// A call about the current GPU of this thread. `cuptiGetLastError` returns its failure.
pub fn call(symbol: &str, body: impl FnOnce() -> Result<(), c_int>) -> c_int {
    let status = abi::call(symbol, driver::current_gpu(), body);
    if status != 0 {
        LAST.set(status);
    }
    status
}

#[unsafe(no_mangle)]
pub extern "C" fn cuptiGetLastError() -> c_int {
    abi::call("cuptiGetLastError", driver::current_gpu(), || match LAST.replace(0) {
        0 => Ok(()),
        status => Err(status),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuptiGetResultString(status: c_int, text: *mut *const c_char) -> c_int {
    call("cuptiGetResultString", || {
        let found = NAMES.iter().find(|(known, _)| *known == status);
        let (_, name) = found.ok_or(INVALID_PARAMETER)?;
        put(text, name.as_ptr())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuptiGetVersion(version: *mut c_uint) -> c_int {
    call("cuptiGetVersion", || put(version, script::number(None, "cupti") as c_uint))
}
