//! The status codes of cuBLAS, with names and texts.

use std::ffi::{CStr, c_char, c_int};

use crate::common::act;

pub const NOT_INITIALIZED: c_int = 1;
pub const INVALID_VALUE: c_int = 7;
pub const EXECUTION_FAILED: c_int = 13;
pub const INTERNAL_ERROR: c_int = 14;
pub const NOT_SUPPORTED: c_int = 15;

#[rustfmt::skip]
const STATUSES: &[(c_int, &CStr, &CStr)] = &[
    (0, c"CUBLAS_STATUS_SUCCESS", c"success"),
    (1, c"CUBLAS_STATUS_NOT_INITIALIZED", c"the library was not initialized"),
    (3, c"CUBLAS_STATUS_ALLOC_FAILED", c"the resource allocation failed"),
    (7, c"CUBLAS_STATUS_INVALID_VALUE", c"an unsupported value or parameter was passed to the function"),
    (8, c"CUBLAS_STATUS_ARCH_MISMATCH", c"the function requires an architectural feature absent from the architecture of the device"),
    (11, c"CUBLAS_STATUS_MAPPING_ERROR", c"an access to GPU memory space failed"),
    (13, c"CUBLAS_STATUS_EXECUTION_FAILED", c"the function failed to launch on the GPU"),
    (14, c"CUBLAS_STATUS_INTERNAL_ERROR", c"an internal operation failed"),
    (15, c"CUBLAS_STATUS_NOT_SUPPORTED", c"the functionality requested is not supported"),
    (16, c"CUBLAS_STATUS_LICENSE_ERROR", c"the functionality requested requires some license"),
];

#[unsafe(no_mangle)]
pub extern "C" fn cublasGetStatusName(status: c_int) -> *const c_char {
    answer("cublasGetStatusName", status, |(_, name, _)| name)
}

#[unsafe(no_mangle)]
pub extern "C" fn cublasGetStatusString(status: c_int) -> *const c_char {
    answer("cublasGetStatusString", status, |(_, _, text)| text)
}

type Row = (c_int, &'static CStr, &'static CStr);

fn answer(symbol: &str, status: c_int, part: impl Fn(&Row) -> &'static CStr) -> *const c_char {
    if act::scripted(symbol, None).is_some() {
        return std::ptr::null();
    }
    let found = STATUSES.iter().find(|(known, _, _)| *known == status);
    found.map_or(c"<unknown>", part).as_ptr()
}
