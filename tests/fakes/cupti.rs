//! A stand-in for libcupti.so.N: it traces the kernels that the fake libcuda of the process runs,
//! and says whether performance counters may be used.

#[path = "common/mod.rs"]
mod common;

#[path = "cupti/activity.rs"]
mod activity;
#[path = "cupti/profiler.rs"]
mod profiler;
#[path = "cupti/record.rs"]
mod record;
#[path = "cupti/status.rs"]
mod status;

use std::ffi::c_int;

const INVALID: c_int = status::INVALID_PARAMETER;
const LOST: c_int = status::UNKNOWN;
