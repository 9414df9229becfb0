//! A fake libcupti.so.N: traces the kernels that the fake libcuda runs, and reports whether performance
//! counters are available.

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
