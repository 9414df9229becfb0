//! Primary contexts: one per ordinal, counted, and the one that is current in each thread.
//!
//! A failing kernel poisons its context: as on a real GPU, every later call returns the same status until the
//! last reference is released.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_uint};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::common::abi::{call, put};
use crate::common::gpu::Gpu;
use crate::common::space;
use crate::device::on;
use crate::visible::{Place, place, places};
use crate::{error, memory, module};

pub type Handle = usize;

const FIRST: Handle = 0xC0DA_0000;
const STEP: Handle = 0x100;

#[derive(Clone, Copy, Default)]
struct State {
    holders: u32,
    poison: c_int,
}

static STATES: Mutex<BTreeMap<c_int, State>> = Mutex::new(BTreeMap::new());

thread_local! {
    static CURRENT: Cell<Handle> = const { Cell::new(0) };
}

#[derive(Clone, Copy)]
pub struct Context {
    pub ordinal: c_int,
    pub gpu: Gpu,
}

/// The current context of the calling thread, if it is usable.
pub fn current() -> Result<Context, c_int> {
    places()?;
    let handle = CURRENT.get();
    let ordinal = ordinal(handle).ok_or(error::INVALID_CONTEXT)?;
    match states().get(&ordinal) {
        Some(state) if state.poison != 0 => Err(state.poison),
        Some(state) if state.holders > 0 => Ok(Context { ordinal, gpu: place(ordinal)?.gpu }),
        _ => Err(error::CONTEXT_IS_DESTROYED),
    }
}

/// The GPU that a call without a device argument concerns, for the script.
pub fn current_gpu() -> Option<u32> {
    let place = place(ordinal(CURRENT.get())?).ok()?;
    Some(place.gpu.0)
}

/// A call that needs a current context.
pub fn within(symbol: &str, body: impl FnOnce(Context) -> Result<(), c_int>) -> c_int {
    call(symbol, current_gpu(), || body(current()?))
}

pub fn poison(context: Context, status: c_int) {
    states().entry(context.ordinal).or_default().poison = status;
}

fn handle(ordinal: c_int) -> Handle {
    FIRST + ordinal as Handle * STEP
}

fn ordinal(handle: Handle) -> Option<c_int> {
    let offset = handle.checked_sub(FIRST)?;
    let ordinal = c_int::try_from(offset / STEP).ok()?;
    (offset % STEP == 0 && place(ordinal).is_ok()).then_some(ordinal)
}

fn states() -> MutexGuard<'static, BTreeMap<c_int, State>> {
    STATES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxRetain(context: *mut Handle, device: c_int) -> c_int {
    on("cuDevicePrimaryCtxRetain", device, |place| {
        may_create(place)?;
        put(context, handle(device))?;
        states().entry(device).or_default().holders += 1;
        Ok(())
    })
}

fn may_create(place: Place) -> Result<(), c_int> {
    const PROHIBITED: u64 = 2;
    const EXCLUSIVE_PROCESS: u64 = 3;
    let gpu = place.gpu;
    match gpu.number("compute_mode") {
        _ if gpu.is("lost") => Err(error::UNKNOWN),
        PROHIBITED => Err(error::UNKNOWN),
        EXCLUSIVE_PROCESS if gpu.is("used_by") => Err(error::DEVICE_UNAVAILABLE),
        _ if !space::reserve(gpu.number("reserves_gib")) => Err(error::OUT_OF_MEMORY),
        _ => Ok(()),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxRelease_v2(device: c_int) -> c_int {
    on("cuDevicePrimaryCtxRelease_v2", device, |_| {
        let mut states = states();
        let state = states.entry(device).or_default();
        if state.holders == 0 {
            return Err(error::INVALID_CONTEXT);
        }
        state.holders -= 1;
        if state.holders == 0 {
            *state = State::default();
            memory::free_all(device);
            module::unload_all(device);
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxGetState(device: c_int, flags: *mut c_uint, active: *mut c_int) -> c_int {
    on("cuDevicePrimaryCtxGetState", device, |_| {
        let holders = states().get(&device).map_or(0, |state| state.holders);
        put(flags, 0)?;
        put(active, c_int::from(holders > 0))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetCurrent(context: Handle) -> c_int {
    let gpu = ordinal(context).and_then(crate::visible::gpu);
    call("cuCtxSetCurrent", gpu, || {
        places()?;
        if context != 0 && ordinal(context).is_none() {
            return Err(error::INVALID_CONTEXT);
        }
        CURRENT.set(context);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxGetCurrent(context: *mut Handle) -> c_int {
    call("cuCtxGetCurrent", current_gpu(), || {
        places()?;
        put(context, CURRENT.get())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxGetDevice(device: *mut c_int) -> c_int {
    within("cuCtxGetDevice", |context| put(device, context.ordinal))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSynchronize() -> c_int {
    within("cuCtxSynchronize", |_| Ok(()))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxGetApiVersion(context: Handle, version: *mut c_uint) -> c_int {
    call("cuCtxGetApiVersion", current_gpu(), || {
        let asked = if context == 0 { CURRENT.get() } else { context };
        places()?;
        ordinal(asked).ok_or(error::INVALID_CONTEXT)?;
        put(version, 3020)
    })
}

/// For the other fakes: the GPU that is current in this thread; -1 when none is.
#[unsafe(no_mangle)]
pub extern "C" fn fake_current_gpu() -> c_int {
    current_gpu().map_or(-1, |gpu| gpu as c_int)
}
