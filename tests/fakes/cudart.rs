//! A fake libcudart.so.N: a thin layer over the fake libcuda of the process.
//!
//! It looks libcuda up among the loaded libraries and loads none: without it, or with one older
//! than the runtime, every call that needs a GPU returns "insufficient driver".

#[path = "common/mod.rs"]
mod common;

#[path = "cudart/driver_api.rs"]
mod driver_api;
#[path = "cudart/error.rs"]
mod error;
#[path = "cudart/runtime.rs"]
mod runtime;

use std::ffi::c_int;

const INVALID: c_int = error::INVALID_VALUE;
const LOST: c_int = error::UNKNOWN;
