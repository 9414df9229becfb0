//! NVML's information about the machine.

use std::ffi::{c_char, c_int, c_uint};

use crate::common::abi::{call, put, put_text};
use crate::common::script;
use crate::error;
use crate::handle::initialized;

/// Text into a caller's buffer; one that is too small is an error here.
pub fn answer(to: *mut c_char, room: c_uint, text: &str) -> Result<(), c_int> {
    match put_text(to, room as usize, text)? {
        true => Ok(()),
        false => Err(error::INSUFFICIENT_SIZE),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlSystemGetDriverVersion(version: *mut c_char, room: c_uint) -> c_int {
    call("nvmlSystemGetDriverVersion", None, || {
        initialized()?;
        answer(version, room, script::text(None, "driver"))
    })
}

/// Works without nvmlInit, as the next one does.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlSystemGetNVMLVersion(version: *mut c_char, room: c_uint) -> c_int {
    call("nvmlSystemGetNVMLVersion", None, || answer(version, room, script::text(None, "nvml")))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlSystemGetCudaDriverVersion_v2(version: *mut c_int) -> c_int {
    call("nvmlSystemGetCudaDriverVersion_v2", None, || put(version, script::number(None, "cuda") as c_int))
}

#[repr(C)]
pub struct ConfComputeState {
    environment: c_uint,
    feature: c_uint,
    dev_tools_mode: c_uint,
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlSystemGetConfComputeState(state: *mut ConfComputeState) -> c_int {
    call("nvmlSystemGetConfComputeState", None, || {
        initialized()?;
        let feature = script::number(None, "confidential") as c_uint;
        put(state, ConfComputeState { environment: feature, feature, dev_tools_mode: 0 })
    })
}

/// The ready state of confidential computing, which an administrator sets.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlSystemGetConfComputeGpusReadyState(ready: *mut c_uint) -> c_int {
    call("nvmlSystemGetConfComputeGpusReadyState", None, || {
        initialized()?;
        if script::number(None, "confidential") == 0 {
            return Err(error::NOT_SUPPORTED);
        }
        put(ready, script::number(None, "released") as c_uint)
    })
}
