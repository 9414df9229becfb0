//! Address space: the real driver reserves far more than the memory of any GPU.

use std::ffi::{c_int, c_void};

const PROT_NONE: c_int = 0;
const PRIVATE_ANONYMOUS_UNRESERVED: c_int = 0x4022;

// SAFETY: the signature is that of POSIX.
unsafe extern "C" {
    fn mmap(
        address: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        fd: c_int,
        offset: i64,
    ) -> *mut c_void;
}

/// Reserves this many GiB until the process ends; false if a limit prevents it.
pub fn reserve(gib: u64) -> bool {
    if gib == 0 {
        return true;
    }
    let length = (gib as usize) << 30;
    // SAFETY: a new mapping that nothing touches.
    let mapped =
        unsafe { mmap(std::ptr::null_mut(), length, PROT_NONE, PRIVATE_ANONYMOUS_UNRESERVED, -1, 0) };
    mapped as isize != -1
}
