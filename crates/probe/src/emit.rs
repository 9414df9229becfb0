//! Writes events, one line of JSON each, in one write, from any thread.
//!
//! A thread runs one stage at a time ([`stage`]) and announces every call within it ([`enter`]). The
//! process's name shows the stage too, so that /proc shows where an abandoned probe is stuck.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use crate::process;
use protocol::{Event, Fault, Outcome, Skip, Stage};

static OUT: OnceLock<Mutex<File>> = OnceLock::new();

thread_local! {
    static CURRENT: Cell<(Stage, Option<u32>)> = const { Cell::new((Stage::Start, None)) };
}

/// Why a stage did not pass.
pub enum NotPassed {
    Fault(Fault),
    Skip(Skip),
}

impl From<Fault> for NotPassed {
    fn from(fault: Fault) -> Self {
        NotPassed::Fault(fault)
    }
}

pub fn start(pipe: File) {
    let _ = OUT.set(Mutex::new(pipe));
}

/// Write errors are ignored: the supervisor is gone, and the kernel is about to kill this process.
pub fn emit(event: &Event) {
    let mut line = serde_json::to_vec(event).expect("events are plain data");
    line.push(b'\n');
    if let Some(out) = OUT.get() {
        let mut out = out.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let _ = out.write_all(&line);
    }
}

/// Announces a call that can block.
pub fn enter(call: &str) {
    let (stage, gpu) = CURRENT.get();
    emit(&Event::Enter { stage, call: call.to_owned(), gpu });
}

/// Runs a stage and reports how it ended. `None` unless it passed.
pub fn stage<T>(stage: Stage, gpu: Option<u32>, work: impl FnOnce() -> Result<T, NotPassed>) -> Option<T> {
    let before = CURRENT.replace((stage, gpu));
    process::show(stage, gpu);
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    CURRENT.set(before);
    let (value, outcome) = match result {
        Ok(value) => (Some(value), Outcome::Passed),
        Err(NotPassed::Fault(fault)) => (None, Outcome::Failed(fault)),
        Err(NotPassed::Skip(why)) => (None, Outcome::Skipped(why)),
    };
    emit(&Event::Left { stage, gpu, seconds, outcome });
    value
}
