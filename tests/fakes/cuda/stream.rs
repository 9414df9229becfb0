//! Streams and events. All calls are synchronous, so that streams have no effect; an event stores the time at
//! which it was recorded.

use std::ffi::{c_float, c_int, c_uint};
use std::time::Instant;

use crate::common::abi::put;
use crate::common::table::Table;
use crate::context::within;
use crate::error;

pub type Stream = usize;
type Event = usize;

/// The predefined streams: default, legacy and per-thread.
const BUILT_IN: usize = 2;
const DISABLE_TIMING: c_uint = 2;

static STREAMS: Table<()> = Table::new(0x57EA_0000);
static EVENTS: Table<Mark> = Table::new(0xE7E0_0000);

#[derive(Clone, Copy)]
struct Mark {
    timed: bool,
    recorded: Option<Instant>,
}

pub fn known(stream: Stream) -> Result<(), c_int> {
    match stream <= BUILT_IN || STREAMS.get(stream).is_some() {
        true => Ok(()),
        false => Err(error::INVALID_HANDLE),
    }
}

fn mark(event: Event) -> Result<Mark, c_int> {
    EVENTS.get(event).ok_or(error::INVALID_HANDLE)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamCreate(stream: *mut Stream, _flags: c_uint) -> c_int {
    within("cuStreamCreate", |_| put(stream, STREAMS.insert(())))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamDestroy_v2(stream: Stream) -> c_int {
    within("cuStreamDestroy_v2", |_| STREAMS.remove(stream).ok_or(error::INVALID_HANDLE))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamSynchronize(stream: Stream) -> c_int {
    within("cuStreamSynchronize", |_| known(stream))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuStreamWaitEvent(stream: Stream, event: Event, _flags: c_uint) -> c_int {
    within("cuStreamWaitEvent", |_| {
        known(stream)?;
        mark(event).map(|_| ())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventCreate(event: *mut Event, flags: c_uint) -> c_int {
    within("cuEventCreate", |_| {
        let timed = flags & DISABLE_TIMING == 0;
        let recorded = None;
        put(event, EVENTS.insert(Mark { timed, recorded }))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventRecord(event: Event, stream: Stream) -> c_int {
    within("cuEventRecord", |_| {
        known(stream)?;
        let timed = mark(event)?.timed;
        let recorded = Some(Instant::now());
        EVENTS.set(event, Mark { timed, recorded });
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventSynchronize(event: Event) -> c_int {
    within("cuEventSynchronize", |_| mark(event).map(|_| ()))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventQuery(event: Event) -> c_int {
    within("cuEventQuery", |_| mark(event).map(|_| ()))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventElapsedTime(milliseconds: *mut c_float, start: Event, end: Event) -> c_int {
    within("cuEventElapsedTime", |_| {
        let time = |event| match mark(event)? {
            Mark { timed: true, recorded: Some(at) } => Ok(at),
            _ => Err(error::INVALID_HANDLE),
        };
        let (start, end) = (time(start)?, time(end)?);
        // The real driver returns a negative time if the events were recorded in reverse order.
        let forward = end.saturating_duration_since(start).as_secs_f32();
        let backward = start.saturating_duration_since(end).as_secs_f32();
        put(milliseconds, (forward - backward) * 1000.0)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuEventDestroy_v2(event: Event) -> c_int {
    within("cuEventDestroy_v2", |_| EVENTS.remove(event).map(|_| ()).ok_or(error::INVALID_HANDLE))
}
