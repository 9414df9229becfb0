//! Subscribers, and the part of the Profiler API that reports whether counters are available.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::common::abi::{put, take};
use crate::common::driver;
use crate::common::gpu::Gpu;
use crate::common::table::Table;
use crate::status::{self, call};

static SUBSCRIBERS: Table<()> = Table::new(0x50B5_0000);
static INITIALIZED: AtomicBool = AtomicBool::new(false);

/// Nothing is ever called back: the Activity API is what is traced with.
#[unsafe(no_mangle)]
pub extern "C" fn cuptiSubscribe(
    subscriber: *mut usize,
    callback: *const c_void,
    _user: *mut c_void,
) -> c_int {
    call("cuptiSubscribe", || {
        if callback.is_null() {
            return Err(status::INVALID_PARAMETER);
        }
        if !SUBSCRIBERS.is_empty() {
            return Err(status::MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED);
        }
        put(subscriber, SUBSCRIBERS.insert(()))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuptiUnsubscribe(subscriber: usize) -> c_int {
    call("cuptiUnsubscribe", || SUBSCRIBERS.remove(subscriber).ok_or(status::INVALID_PARAMETER))
}

/// All parameter structs begin like this; the size says how much of one the caller knows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Params {
    size: usize,
    private: *mut c_void,
}

fn check<P>(params: *const P) -> Result<(), c_int> {
    match take(params.cast::<Params>())?.size >= size_of::<P>() {
        true => Ok(()),
        false => Err(status::INVALID_PARAMETER),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuptiProfilerInitialize(params: *const Params) -> c_int {
    call("cuptiProfilerInitialize", || {
        check(params)?;
        INITIALIZED.store(true, SeqCst);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuptiProfilerDeInitialize(params: *const Params) -> c_int {
    call("cuptiProfilerDeInitialize", || {
        check(params)?;
        INITIALIZED.store(false, SeqCst);
        Ok(())
    })
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct CounterAvailability {
    base: Params,
    context: usize,
    image_size: usize,
    image: *mut u8,
}

/// Asked without an image, it answers with the size of one.
#[unsafe(no_mangle)]
pub extern "C" fn cuptiProfilerGetCounterAvailability(params: *mut CounterAvailability) -> c_int {
    const IMAGE_SIZE: usize = 128;
    call("cuptiProfilerGetCounterAvailability", || {
        check(params)?;
        let mut known = take(params.cast_const())?;
        if !INITIALIZED.load(SeqCst) {
            return Err(status::NOT_INITIALIZED);
        }
        let gpu = driver::current_gpu().map(Gpu);
        if known.context == 0 && gpu.is_none() {
            return Err(status::INVALID_CONTEXT);
        }
        if !gpu.unwrap_or(Gpu(0)).is("counters") {
            return Err(status::INSUFFICIENT_PRIVILEGES);
        }
        if known.image.is_null() {
            known.image_size = IMAGE_SIZE;
            return put(params, known);
        }
        if known.image_size < IMAGE_SIZE {
            return Err(status::INVALID_PARAMETER);
        }
        // SAFETY: the caller says that the image has that size.
        unsafe { known.image.write_bytes(0, IMAGE_SIZE) };
        Ok(())
    })
}
