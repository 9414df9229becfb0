//! A fake libnvidia-ml.so.1. Like NVML, it lists all GPUs of the script and ignores `CUDA_VISIBLE_DEVICES`.
//!
//! Struct layouts and versions of symbols are those of nvml-wrapper-sys. No call takes a lock, so that a
//! call that hangs for one GPU does not block other threads.

#[path = "common/mod.rs"]
mod common;

#[path = "nvml/device.rs"]
mod device;
#[path = "nvml/error.rs"]
mod error;
#[path = "nvml/handle.rs"]
mod handle;
#[path = "nvml/health.rs"]
mod health;
#[path = "nvml/links.rs"]
mod links;
#[path = "nvml/mig.rs"]
mod mig;
#[path = "nvml/processes.rs"]
mod processes;
#[path = "nvml/system.rs"]
mod system;

use std::ffi::c_int;

const INVALID: c_int = error::INVALID_ARGUMENT;
const LOST: c_int = error::GPU_IS_LOST;
