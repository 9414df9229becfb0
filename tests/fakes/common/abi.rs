//! The C ABI: every exported function goes through `call`, and pointers from callers are only read or
//! written here.
//!
//! The fakes trust their callers as the real libraries do: a pointer is null or valid.

use std::ffi::{CStr, c_char, c_int};

use super::act;

/// The script's action for this symbol, else the body; a body's `Err` is the status returned.
pub fn call(symbol: &str, gpu: Option<u32>, body: impl FnOnce() -> Result<(), c_int>) -> c_int {
    match act::scripted(symbol, gpu) {
        Some(status) => status as c_int,
        None => body().err().unwrap_or(0),
    }
}

/// Writes through an out-pointer.
pub fn put<T>(to: *mut T, value: T) -> Result<(), c_int> {
    if to.is_null() {
        return Err(crate::INVALID);
    }
    // SAFETY: not null, and the caller vouches for the rest.
    unsafe { to.write(value) };
    Ok(())
}

/// Reads through an in-pointer.
pub fn take<T: Copy>(from: *const T) -> Result<T, c_int> {
    if from.is_null() {
        return Err(crate::INVALID);
    }
    // SAFETY: not null, and the caller vouches for the rest.
    Ok(unsafe { from.read() })
}

/// A C string of the caller's.
pub fn bytes<'a>(from: *const c_char) -> Result<&'a [u8], c_int> {
    if from.is_null() {
        return Err(crate::INVALID);
    }
    // SAFETY: not null, and the caller vouches for the terminator.
    Ok(unsafe { CStr::from_ptr(from) }.to_bytes())
}

/// The same, as text.
pub fn text<'a>(from: *const c_char) -> Result<&'a str, c_int> {
    std::str::from_utf8(bytes(from)?).map_err(|_| crate::INVALID)
}

/// Writes text and a terminator to a caller's buffer; returns whether all of it fitted.
pub fn put_text(to: *mut c_char, room: usize, text: &str) -> Result<bool, c_int> {
    if to.is_null() || room == 0 {
        return Err(crate::INVALID);
    }
    let count = text.len().min(room - 1);
    // SAFETY: the caller vouches for `room` bytes; `count` and the terminator fit in them.
    unsafe {
        to.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), count);
        to.add(count).write(0);
    }
    Ok(count == text.len())
}

/// The n-th element of a caller's array.
pub fn item<T: Copy>(array: *const T, index: usize) -> Result<T, c_int> {
    if array.is_null() {
        return Err(crate::INVALID);
    }
    // SAFETY: the caller vouches for the array's length, which bounds every index used.
    Ok(unsafe { array.add(index).read() })
}

/// Writes the n-th element of a caller's array.
pub fn put_item<T>(array: *mut T, index: usize, value: T) -> Result<(), c_int> {
    if array.is_null() {
        return Err(crate::INVALID);
    }
    // SAFETY: the caller vouches for the array's length, which bounds every index used.
    unsafe { array.add(index).write(value) };
    Ok(())
}
