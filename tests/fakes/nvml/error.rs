//! The status codes of NVML and their texts.

use std::ffi::{CStr, c_char, c_int};

use crate::common::act;

pub const UNINITIALIZED: c_int = 1;
pub const INVALID_ARGUMENT: c_int = 2;
pub const NOT_SUPPORTED: c_int = 3;
pub const NO_PERMISSION: c_int = 4;
pub const NOT_FOUND: c_int = 6;
pub const INSUFFICIENT_SIZE: c_int = 7;
pub const DRIVER_NOT_LOADED: c_int = 9;
pub const GPU_IS_LOST: c_int = 15;
pub const ARGUMENT_VERSION_MISMATCH: c_int = 25;
pub const UNKNOWN: c_int = 999;

const TEXTS: &[(c_int, &CStr)] = &[
    (0, c"Success"),
    (1, c"Uninitialized"),
    (2, c"Invalid Argument"),
    (3, c"Not Supported"),
    (4, c"Insufficient Permissions"),
    (5, c"Already Initialized"),
    (6, c"Not Found"),
    (7, c"Insufficient Size"),
    (8, c"Insufficient External Power"),
    (9, c"Driver Not Loaded"),
    (10, c"Timeout"),
    (11, c"Interrupt Request Issue"),
    (12, c"NVML Shared Library Not Found"),
    (13, c"Function Not Found"),
    (14, c"Corrupted infoROM"),
    (15, c"GPU is lost"),
    (16, c"GPU requires reset"),
    (17, c"GPU access blocked by the operating system"),
    (18, c"Driver/library version mismatch"),
    (19, c"In use by another client"),
    (20, c"Insufficient Memory"),
    (21, c"No data"),
    (25, c"Argument version mismatch"),
    (999, c"Unknown Error"),
];

#[unsafe(no_mangle)]
pub extern "C" fn nvmlErrorString(code: c_int) -> *const c_char {
    if act::scripted("nvmlErrorString", None).is_some() {
        return std::ptr::null();
    }
    let found = TEXTS.iter().find(|(known, _)| *known == code);
    found.map_or(c"Unknown Error", |(_, text)| text).as_ptr()
}
