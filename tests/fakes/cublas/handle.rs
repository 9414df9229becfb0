//! Handles with their settings, and versions.

use std::ffi::{c_int, c_void};

use crate::common::abi::{call, put};
use crate::common::driver;
use crate::common::script;
use crate::common::table::Table;
use crate::status;

pub type Handle = usize;

static HANDLES: Table<Settings> = Table::new(0xB1A5_0000);

#[derive(Clone, Copy, Default)]
pub struct Settings {
    math_mode: c_int,
}

impl Settings {
    pub fn of(handle: Handle) -> Result<Self, c_int> {
        HANDLES.get(handle).ok_or(status::NOT_INITIALIZED)
    }

    /// `CUBLAS_TF32_TENSOR_OP_MATH`; the upper bits of the mode have other meanings.
    pub fn allows_tf32(self) -> bool {
        const TF32: c_int = 3;
        self.math_mode & 15 == TF32
    }
}

/// A call with a handle, about the GPU that is current in this thread.
pub fn with(symbol: &str, handle: Handle, body: impl FnOnce(Settings) -> Result<(), c_int>) -> c_int {
    call(symbol, driver::current_gpu(), || body(Settings::of(handle)?))
}

#[unsafe(no_mangle)]
pub extern "C" fn cublasCreate_v2(handle: *mut Handle) -> c_int {
    call("cublasCreate_v2", driver::current_gpu(), || {
        if driver::address(c"cuInit").is_null() {
            return Err(status::NOT_INITIALIZED);
        }
        put(handle, HANDLES.insert(Settings::default()))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cublasDestroy_v2(handle: Handle) -> c_int {
    with("cublasDestroy_v2", handle, |_| {
        HANDLES.remove(handle);
        Ok(())
    })
}

/// The handle is ignored, because the version does not depend on it.
#[unsafe(no_mangle)]
pub extern "C" fn cublasGetVersion_v2(_handle: Handle, version: *mut c_int) -> c_int {
    call("cublasGetVersion_v2", driver::current_gpu(), || {
        put(version, script::number(None, "cublas") as c_int)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cublasGetProperty(kind: c_int, value: *mut c_int) -> c_int {
    call("cublasGetProperty", None, || {
        let version = script::number(None, "cublas") as c_int;
        match kind {
            0 => put(value, version / 10_000),
            1 => put(value, version / 100 % 100),
            2 => put(value, version % 100),
            _ => Err(status::INVALID_VALUE),
        }
    })
}

/// All calls are synchronous, so that the stream is ignored.
#[unsafe(no_mangle)]
pub extern "C" fn cublasSetStream_v2(handle: Handle, _stream: usize) -> c_int {
    with("cublasSetStream_v2", handle, |_| Ok(()))
}

#[unsafe(no_mangle)]
pub extern "C" fn cublasSetWorkspace_v2(handle: Handle, workspace: *mut c_void, bytes: usize) -> c_int {
    with("cublasSetWorkspace_v2", handle, |_| match bytes == 0 || driver::owns(workspace as usize, bytes) {
        true => Ok(()),
        false => Err(status::INVALID_VALUE),
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cublasSetMathMode(handle: Handle, math_mode: c_int) -> c_int {
    with("cublasSetMathMode", handle, |_| {
        HANDLES.set(handle, Settings { math_mode });
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cublasGetMathMode(handle: Handle, math_mode: *mut c_int) -> c_int {
    with("cublasGetMathMode", handle, |settings| put(math_mode, settings.math_mode))
}
