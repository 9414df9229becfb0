//! Device memory: host memory with a table of allocations. Every address is looked up, so that a wrong
//! address is an error, as in the real driver.

use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeMap;
use std::ffi::{c_int, c_uchar, c_uint, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::common::abi::put;
use crate::common::gpu::Gpu;
use crate::context::{Context, within};
use crate::error;
use crate::stream::{Stream, known};

/// The alignment that cuMemAlloc guarantees.
const ALIGNMENT: usize = 256;

#[derive(Clone, Copy)]
struct Allocation {
    bytes: usize,
    ordinal: c_int,
    gpu: Gpu,
}

static LEDGER: Mutex<BTreeMap<usize, Allocation>> = Mutex::new(BTreeMap::new());

fn ledger() -> MutexGuard<'static, BTreeMap<usize, Allocation>> {
    LEDGER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The live allocations, in order of address: what a kernel may touch.
pub fn regions() -> Vec<(usize, usize)> {
    let ledger = ledger();
    ledger.iter().map(|(at, it)| (*at, it.bytes)).collect()
}

pub fn free_all(ordinal: c_int) {
    let mut ledger = ledger();
    ledger
        .extract_if(.., |_, allocation| allocation.ordinal == ordinal)
        .for_each(|(at, allocation)| release(at, allocation));
}

fn free_bytes(gpu: Gpu) -> usize {
    let ledger = ledger();
    let used: usize =
        ledger.values().filter(|allocation| allocation.gpu == gpu).map(|allocation| allocation.bytes).sum();
    (gpu.free_bytes() as usize).saturating_sub(used)
}

fn allocate(context: Context, bytes: usize) -> Result<usize, c_int> {
    if bytes == 0 {
        return Err(error::INVALID_VALUE);
    }
    if bytes > free_bytes(context.gpu) {
        return Err(error::OUT_OF_MEMORY);
    }
    let layout = Layout::from_size_align(bytes, ALIGNMENT).map_err(|_| error::OUT_OF_MEMORY)?;
    // SAFETY: the size is not zero.
    let at = unsafe { alloc(layout) } as usize;
    if at == 0 {
        return Err(error::OUT_OF_MEMORY);
    }
    let Context { ordinal, gpu } = context;
    ledger().insert(at, Allocation { bytes, ordinal, gpu });
    Ok(at)
}

fn release(at: usize, allocation: Allocation) {
    if let Ok(layout) = Layout::from_size_align(allocation.bytes, ALIGNMENT) {
        // SAFETY: the ledger holds what `alloc` returned for this very layout, once.
        unsafe { dealloc(at as *mut u8, layout) };
    }
}

fn check(at: usize, bytes: usize) -> Result<(), c_int> {
    match fake_owns(at, bytes) {
        true => Ok(()),
        false => Err(error::INVALID_VALUE),
    }
}

fn copy(to: *mut c_void, from: *const c_void, bytes: usize) -> Result<(), c_int> {
    if bytes > 0 && (to.is_null() || from.is_null()) {
        return Err(error::INVALID_VALUE);
    }
    // SAFETY: device sides were checked against the ledger; the caller vouches for host sides.
    unsafe { std::ptr::copy(from.cast::<u8>(), to.cast::<u8>(), bytes) };
    Ok(())
}

fn fill<T: Copy>(at: usize, value: T, count: usize) -> Result<(), c_int> {
    check(at, count * size_of::<T>())?;
    if !at.is_multiple_of(align_of::<T>()) {
        return Err(error::INVALID_VALUE);
    }
    // SAFETY: the range lies in one allocation, and the address is aligned.
    (0..count).for_each(|index| unsafe { (at as *mut T).add(index).write(value) });
    Ok(())
}

/// For the other fakes: whether the bytes are in one allocation.
#[unsafe(no_mangle)]
pub extern "C" fn fake_owns(at: usize, bytes: usize) -> bool {
    let ledger = ledger();
    ledger
        .range(..=at)
        .next_back()
        .is_some_and(|(start, it)| bytes <= it.bytes && at - start <= it.bytes - bytes)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> c_int {
    within("cuMemGetInfo_v2", |context| {
        put(free, free_bytes(context.gpu))?;
        put(total, context.gpu.total_bytes() as usize)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemAlloc_v2(address: *mut usize, bytes: usize) -> c_int {
    within("cuMemAlloc_v2", |context| {
        put(address, 0)?;
        put(address, allocate(context, bytes)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFree_v2(address: usize) -> c_int {
    within("cuMemFree_v2", |_| {
        if address == 0 {
            return Ok(());
        }
        let allocation = ledger().remove(&address).ok_or(error::INVALID_VALUE)?;
        release(address, allocation);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyHtoD_v2(to: usize, from: *const c_void, bytes: usize) -> c_int {
    within("cuMemcpyHtoD_v2", |_| {
        check(to, bytes)?;
        copy(to as *mut c_void, from, bytes)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoH_v2(to: *mut c_void, from: usize, bytes: usize) -> c_int {
    within("cuMemcpyDtoH_v2", |_| {
        check(from, bytes)?;
        copy(to, from as *const c_void, bytes)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoD_v2(to: usize, from: usize, bytes: usize) -> c_int {
    within("cuMemcpyDtoD_v2", |_| {
        check(to, bytes)?;
        check(from, bytes)?;
        copy(to as *mut c_void, from as *const c_void, bytes)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyHtoDAsync_v2(
    to: usize,
    from: *const c_void,
    bytes: usize,
    stream: Stream,
) -> c_int {
    within("cuMemcpyHtoDAsync_v2", |_| {
        known(stream)?;
        check(to, bytes)?;
        copy(to as *mut c_void, from, bytes)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: usize, bytes: usize, stream: Stream) -> c_int {
    within("cuMemcpyDtoHAsync_v2", |_| {
        known(stream)?;
        check(from, bytes)?;
        copy(to, from as *const c_void, bytes)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD8_v2(at: usize, value: c_uchar, count: usize) -> c_int {
    within("cuMemsetD8_v2", |_| fill(at, value, count))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD32_v2(at: usize, value: c_uint, count: usize) -> c_int {
    within("cuMemsetD32_v2", |_| fill(at, value, count))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemsetD8Async(at: usize, value: c_uchar, count: usize, stream: Stream) -> c_int {
    within("cuMemsetD8Async", |_| {
        known(stream)?;
        fill(at, value, count)
    })
}
