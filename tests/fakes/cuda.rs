//! A fake libcuda.so.1: lists devices, manages contexts and memory, and runs PTX on the
//! CPU; and it fails as the script says.
//!
//! This file only lists the parts. Each exported function is with its kind and starts with `call`,
//! which runs the script's actions first. Device memory is host memory, and every call
//! has finished its work when it returns: streams are names, an error of a kernel is kept for the
//! next call that waits.

#[path = "common/mod.rs"]
mod common;
mod ptx;

#[path = "cuda/context.rs"]
mod context;
#[path = "cuda/device.rs"]
mod device;
#[path = "cuda/error.rs"]
mod error;
#[path = "cuda/launch.rs"]
mod launch;
#[path = "cuda/log.rs"]
mod log;
#[path = "cuda/memory.rs"]
mod memory;
#[path = "cuda/module.rs"]
mod module;
#[path = "cuda/stream.rs"]
mod stream;
#[path = "cuda/visible.rs"]
mod visible;

use std::ffi::c_int;

const INVALID: c_int = error::INVALID_VALUE;
const LOST: c_int = error::UNKNOWN;
