//! The process-wide log of launches, kept for the fake CUPTI.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{CString, c_char};
use std::sync::{Mutex, PoisonError};

use crate::common::abi::put_item;
use crate::common::launch::Launch;

/// Limits the log in long runs without CUPTI: the oldest launches are dropped.
const KEPT: usize = 4096;

static LAUNCHES: Mutex<VecDeque<Launch>> = Mutex::new(VecDeque::new());
static NAMES: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

pub fn record(launch: Launch) {
    let mut launches = LAUNCHES.lock().unwrap_or_else(PoisonError::into_inner);
    if launches.len() == KEPT {
        launches.pop_front();
    }
    launches.push_back(launch);
}

/// Leaks one copy of each kernel's name.
pub fn name(kernel: &str) -> *const c_char {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    let address = names.entry(kernel.to_string()).or_insert_with(|| {
        let copy = CString::new(kernel).unwrap_or_default();
        copy.into_raw() as usize
    });
    *address as *const c_char
}

#[unsafe(no_mangle)]
pub extern "C" fn fake_take_launches(to: *mut Launch, room: usize) -> usize {
    let mut launches = LAUNCHES.lock().unwrap_or_else(PoisonError::into_inner);
    let count = launches.len().min(room);
    launches
        .drain(..count)
        .enumerate()
        .take_while(|(index, launch)| put_item(to, *index, *launch).is_ok())
        .count()
}
