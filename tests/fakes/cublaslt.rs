//! A fake libcublasLt.so.N: only version and handles.

#[path = "common/mod.rs"]
mod common;

use std::ffi::c_int;

use common::abi::{call, put};
use common::table::Table;
use common::{act, driver, script};

const NOT_INITIALIZED: c_int = 1;
const INVALID: c_int = 7;
const LOST: c_int = 14;

static HANDLES: Table<()> = Table::new(0xB1A6_0000);

/// The one function here that returns its answer, so that a scripted number is a version.
#[unsafe(no_mangle)]
pub extern "C" fn cublasLtGetVersion() -> usize {
    match act::scripted("cublasLtGetVersion", None) {
        Some(version) => version as usize,
        None => script::number(None, "cublas_lt") as usize,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cublasLtCreate(handle: *mut usize) -> c_int {
    call("cublasLtCreate", driver::current_gpu(), || {
        if driver::address(c"cuInit").is_null() {
            return Err(NOT_INITIALIZED);
        }
        put(handle, HANDLES.insert(()))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cublasLtDestroy(handle: usize) -> c_int {
    call("cublasLtDestroy", driver::current_gpu(), || HANDLES.remove(handle).ok_or(NOT_INITIALIZED))
}
