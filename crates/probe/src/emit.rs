//! Events out: one JSON line each, in one write, from any thread.
//!
//! A thread is in one stage at a time ([`stage`]); every call made inside it is announced under that
//! stage ([`enter`]). The process's own name follows, so that even a probe that nobody listens to
//! any more shows in /proc where it stands.

use std::cell::Cell;
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, OnceLock};
use std::time::Instant;

use crate::process;
use protocol::{Event, Fault, Outcome, Skip, Stage};

static OUT: OnceLock<Mutex<File>> = OnceLock::new();

thread_local! {
    static AT: Cell<(Stage, Option<u32>)> = const { Cell::new((Stage::Start, None)) };
}

/// Why a stage did not pass.
pub enum Stop {
    Fault(Fault),
    Skip(Skip),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}

pub fn start(pipe: File) {
    let _ = OUT.set(Mutex::new(pipe));
}

/// A supervisor that has gone is no reason to fail: the kernel is about to end this process.
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
    let (stage, gpu) = AT.get();
    emit(&Event::Enter { stage, call: call.to_owned(), gpu });
}

/// Runs one stage and reports how it ended. `None` unless it passed.
pub fn stage<T>(stage: Stage, gpu: Option<u32>, work: impl FnOnce() -> Result<T, Stop>) -> Option<T> {
    let before = AT.replace((stage, gpu));
    process::show(stage, gpu);
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    AT.set(before);
    let (value, outcome) = match result {
        Ok(value) => (Some(value), Outcome::Passed),
        Err(Stop::Fault(fault)) => (None, Outcome::Failed(fault)),
        Err(Stop::Skip(why)) => (None, Outcome::Skipped(why)),
    };
    emit(&Event::Left { stage, gpu, seconds, outcome });
    value
}
