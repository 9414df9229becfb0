//! A stand-in for libnvidia-ml.so.1. It shows every GPU of the script, whatever
//! `CUDA_VISIBLE_DEVICES` says, as NVML does.
//!
//! Struct layouts and revisions of symbols are those that nvml-wrapper-sys declares. No call takes
//! a lock: a call that hangs for one GPU leaves the calls of other threads alone.

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
