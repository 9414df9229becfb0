//! One kernel launch, which the fake libcuda passes to the fake CUPTI through its private symbol
//! `fake_take_launches`. Both are compiled from the same source, so the layout is ours to choose.

use std::ffi::{c_char, c_uint};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Launch {
    /// Never freed: it must stay readable for as long as a record that points to it.
    pub name: *const c_char,
    pub gpu: c_uint,
    pub ordinal: c_uint,
    pub grid: [c_uint; 3],
    pub block: [c_uint; 3],
    pub static_shared: c_uint,
    pub dynamic_shared: c_uint,
    /// Nanoseconds of the system clock, as CUPTI counts them by default.
    pub start: u64,
    pub end: u64,
}

// SAFETY: the name is leaked, immutable text.
unsafe impl Send for Launch {}

/// Moves up to `room` launches, oldest first, to `to`; returns their number.
pub type TakeLaunches = extern "C" fn(to: *mut Launch, room: usize) -> usize;
