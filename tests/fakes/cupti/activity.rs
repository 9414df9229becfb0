//! The Activity API: launches become records in buffers that the caller lends at each flush.
//!
//! Only launches while kernel records are enabled are reported. Callbacks run without a lock, because they may call
//! CUPTI.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::c_int;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::common::abi::{put, take};
use crate::common::driver;
use crate::common::launch::{Launch, TakeLaunches};
use crate::record::{CONCURRENT_KERNEL, KERNEL, KernelRecord};
use crate::status::{self, call};

type Request = extern "C" fn(buffer: *mut *mut u8, bytes: *mut usize, most: *mut usize);
type Complete = extern "C" fn(context: usize, stream: u32, buffer: *mut u8, bytes: usize, valid: usize);

struct State {
    callbacks: Option<(Request, Complete)>,
    enabled: BTreeSet<u32>,
    /// Seen, but not yet delivered.
    waiting: VecDeque<Launch>,
    delivered: u32,
    dropped: usize,
}

static STATE: Mutex<State> = Mutex::new(State {
    callbacks: None,
    enabled: BTreeSet::new(),
    waiting: VecDeque::new(),
    delivered: 0,
    dropped: 0,
});

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn kernel_kind(&self) -> Option<u32> {
        let kinds = [CONCURRENT_KERNEL, KERNEL];
        kinds.into_iter().find(|kind| self.enabled.contains(kind))
    }

    /// Takes the launches since the last call from libcuda, or drops them if kernel records are disabled.
    fn look(&mut self) {
        let launches = launches();
        if self.kernel_kind().is_some() {
            self.waiting.extend(launches);
        }
    }
}

fn launches() -> Vec<Launch> {
    // SAFETY: the type is that of the function in cuda/log.rs.
    let Some(take) = (unsafe { driver::function::<TakeLaunches>(c"fake_take_launches") }) else {
        return Vec::new();
    };
    let mut launches = Vec::with_capacity(4096);
    let count = take(launches.as_mut_ptr(), launches.capacity());
    // SAFETY: the function has written that many, and no more than there was room for.
    unsafe { launches.set_len(count) };
    launches
}

#[unsafe(no_mangle)]
pub extern "C" fn cuptiActivityRegisterCallbacks(
    request: Option<Request>,
    complete: Option<Complete>,
) -> c_int {
    call("cuptiActivityRegisterCallbacks", || {
        let callbacks = request.zip(complete);
        state().callbacks = Some(callbacks.ok_or(status::INVALID_PARAMETER)?);
        Ok(())
    })
}

/// The known kinds end somewhere between 50 and 60, depending on the version.
fn check(kind: u32) -> Result<(), c_int> {
    match kind {
        1..60 => Ok(()),
        _ => Err(status::INVALID_KIND),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuptiActivityEnable(kind: u32) -> c_int {
    call("cuptiActivityEnable", || {
        check(kind)?;
        let mut state = state();
        state.look();
        state.enabled.insert(kind);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuptiActivityDisable(kind: u32) -> c_int {
    call("cuptiActivityDisable", || {
        check(kind)?;
        let mut state = state();
        state.look();
        state.enabled.remove(&kind);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuptiActivityFlushAll(_flag: u32) -> c_int {
    call("cuptiActivityFlushAll", || {
        state().look();
        let callbacks = state().callbacks;
        let (request, complete) = callbacks.ok_or(status::INVALID_OPERATION)?;
        while !state().waiting.is_empty() {
            let (mut buffer, mut bytes, mut most) = (std::ptr::null_mut(), 0, 0);
            request(&mut buffer, &mut bytes, &mut most);
            let room = bytes / size_of::<KernelRecord>();
            let room = if most == 0 { room } else { room.min(most) };
            if buffer.is_null() || room == 0 {
                let mut state = state();
                state.dropped += state.waiting.len();
                state.waiting.clear();
                break;
            }
            let count = fill(buffer.cast(), room);
            complete(0, 0, buffer, bytes, count * size_of::<KernelRecord>());
        }
        Ok(())
    })
}

fn fill(buffer: *mut KernelRecord, room: usize) -> usize {
    let mut state = state();
    let kind = state.kernel_kind().unwrap_or(CONCURRENT_KERNEL);
    let count = state.waiting.len().min(room);
    for index in 0..count {
        if let Some(launch) = state.waiting.pop_front() {
            state.delivered += 1;
            let record = KernelRecord::new(kind, state.delivered, &launch);
            // SAFETY: the caller lent room for `room` records; buffers need not be aligned.
            unsafe { buffer.add(index).write_unaligned(record) };
        }
    }
    count
}

/// From one record to the next; a null record asks for the first.
#[unsafe(no_mangle)]
pub extern "C" fn cuptiActivityGetNextRecord(buffer: *mut u8, valid: usize, record: *mut *mut u8) -> c_int {
    call("cuptiActivityGetNextRecord", || {
        let current = take(record.cast_const())?;
        if buffer.is_null() {
            return Err(status::INVALID_PARAMETER);
        }
        let offset = match current.is_null() {
            true => 0,
            false => current as usize - buffer as usize + size_of::<KernelRecord>(),
        };
        if offset + size_of::<KernelRecord>() > valid {
            return Err(status::MAX_LIMIT_REACHED);
        }
        put(record, buffer.wrapping_add(offset))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuptiActivityGetNumDroppedRecords(
    _context: usize,
    _stream: u32,
    dropped: *mut usize,
) -> c_int {
    call("cuptiActivityGetNumDroppedRecords", || put(dropped, std::mem::take(&mut state().dropped)))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuptiFinalize() -> c_int {
    call("cuptiFinalize", || {
        let mut state = state();
        state.callbacks = None;
        state.enabled.clear();
        state.waiting.clear();
        Ok(())
    })
}
