//! One running probe: its process, its two pipes, and how long to wait for them.

use std::io::{ErrorKind, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use crate::facts::event::Event;
use crate::facts::probe::{Ending, ProbeRun, Target};
use crate::supervise::start::Started;
use protocol::LOCK_TAKEN;

/// How long to wait for a killed process. One that takes longer cannot be killed.
pub const REAP: Duration = Duration::from_millis(50);

/// How long to wait for a process to exit after it reported `Done`. A later call finds it if it is stuck.
const EXIT: Duration = Duration::from_secs(2);

/// How long to wait for the pipes of an exited process to close: a process that it forked may hold them.
const DRAIN: Duration = Duration::from_millis(20);

/// The same for a process that exited without `Done`: its last line may be delayed by a CPU quota.
const LAST_LINE: Duration = Duration::from_secs(1);

/// Polling interval where the kernel has no pidfd (before Linux 5.3).
pub const POLL: Duration = Duration::from_millis(5);

/// Bytes to keep of what libraries print: the last ones, shown where they explain a failure.
pub const OUTPUT: usize = 16 * 1024;

/// A longer line is not an event.
const LONGEST_LINE: usize = 1 << 20;

/// Bytes to read from one pipe before the others get their turn.
const TURN: usize = 64 * 1024;

pub struct Probe {
    pub run: ProbeRun,
    start: Instant,
    child: Child,
    /// A pidfd: readable when the process exits, and never refers to another process.
    pub handle: Option<OwnedFd>,
    /// `None` once all writers have closed it.
    pub events: Option<PipeReader>,
    /// The standard output and error of the probe. `None` once all writers have closed it.
    pub output: Option<PipeReader>,
    /// The start of the next event.
    line: Vec<u8>,
    /// The line is too long to be an event, and is skipped.
    overlong: bool,
    pub exited: Option<Instant>,
    /// When it reported `Done`. It may fail to exit if a thread of it is stuck.
    done: Option<Instant>,
    /// No longer waited for, though it or a process that it started still exists.
    pub abandoned: bool,
    printed: Vec<u8>,
}

impl Probe {
    pub fn new(target: Target, started: Started) -> Self {
        let Started { child, events, output, way } = started;
        for pipe in [&events, &output] {
            // Cannot fail for a pipe.
            let _ = rustix::fs::fcntl_setfl(pipe, rustix::fs::OFlags::NONBLOCK);
        }
        Probe {
            run: ProbeRun { way: Some(way), ..ProbeRun::new(target) },
            start: Instant::now(),
            handle: rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).ok(),
            child,
            events: Some(events),
            output: Some(output),
            line: Vec::new(),
            overlong: false,
            exited: None,
            done: None,
            abandoned: false,
            printed: Vec::new(),
        }
    }

    /// Its exit has to be polled for, because the kernel has no pidfd.
    pub fn needs_polling(&self) -> bool {
        self.handle.is_none() && self.exited.is_none()
    }

    /// Nothing more can come from it.
    pub fn is_over(&self) -> bool {
        self.abandoned || (self.exited.is_some() && self.events.is_none() && self.output.is_none())
    }

    /// When to stop waiting for a process that reported `Done`, or for the pipes of one that exited.
    pub fn wait_until(&self) -> Option<Instant> {
        if self.is_over() {
            return None;
        }
        match (self.exited, self.done) {
            (Some(exited), Some(_)) => Some(exited + DRAIN),
            // It found its lock taken, and reports nothing.
            (Some(exited), None) if self.run.ending == LOCKED => Some(exited),
            (Some(exited), None) => Some(exited + LAST_LINE),
            // The kernel may take long to release what the driver holds for it. With an open call, a thread of it
            // is stuck and will not return.
            (None, Some(done)) if self.run.open_calls().is_empty() => Some(done + EXIT),
            (None, Some(done)) => Some(done + REAP),
            (None, None) => None,
        }
    }

    pub fn abandon_if_due(&mut self) {
        if self.wait_until().is_some_and(|end| end <= Instant::now()) {
            self.abandoned = true;
        }
    }

    pub fn read_events(&mut self) {
        let mut bytes = Vec::new();
        if !self.events.as_mut().is_some_and(|pipe| read(pipe, &mut bytes)) {
            self.events = None;
        }
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + part.len() > LONGEST_LINE {
                self.overlong = true;
                self.line.clear();
            }
            if !self.overlong {
                self.line.extend_from_slice(part);
            }
            if !part.ends_with(b"\n") {
                continue;
            }
            // Ignore what is not an event.
            if let Ok(event) = serde_json::from_slice::<protocol::Event>(&self.line) {
                let event = Event::from(event);
                if event == Event::Done {
                    self.done = Some(Instant::now());
                }
                self.run.events.push(event);
            }
            self.line.clear();
            self.overlong = false;
        }
    }

    pub fn read_output(&mut self) {
        if !self.output.as_mut().is_some_and(|pipe| read(pipe, &mut self.printed)) {
            self.output = None;
        }
        let surplus = self.printed.len().saturating_sub(OUTPUT);
        self.printed.drain(..surplus);
    }

    pub fn reap(&mut self) {
        let ending = match self.child.try_wait() {
            Ok(None) => return,
            Ok(Some(status)) => ending(status),
            // Something else reaped it: its status is unknown.
            Err(_) => Ending::Exited { code: -1 },
        };
        self.exited = Some(Instant::now());
        self.run.seconds = self.start.elapsed().as_secs_f64();
        self.run.ending = ending;
    }

    /// Kills the process and its group, unless it has exited.
    pub fn kill(&self) {
        if self.exited.is_some() {
            return;
        }
        if let Some(handle) = &self.handle {
            let _ = rustix::process::pidfd_send_signal(handle, Signal::KILL);
        }
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }

    /// Kills and reaps what a library started in the probe; this program is their parent now (child subreaper). The
    /// ID of the group is not reused as long as it has a member.
    pub fn kill_group(&self, end: Instant) {
        let group = Pid::from_child(&self.child);
        while let Ok(status) = rustix::process::waitpgid(group, WaitOptions::NOHANG) {
            if status.is_none() {
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
                if Instant::now() >= end {
                    return;
                }
                std::thread::sleep(POLL);
            }
        }
    }

    pub fn into_run(mut self) -> ProbeRun {
        if self.run.seconds == 0.0 {
            self.run.seconds = self.start.elapsed().as_secs_f64();
        }
        self.run.noise = String::from_utf8_lossy(&self.printed).into_owned();
        // Not earlier: what it wrote may be read after it has exited. A library may exit with the same status.
        if self.run.ending == LOCKED && !self.run.said_hello() {
            self.run.ending = Ending::LockTaken;
        }
        self.run
    }
}

/// Reads what has arrived, up to [`TURN`] bytes. False if all writers have closed the pipe.
fn read(pipe: &mut PipeReader, bytes: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    let mut total = 0;
    while total < TURN {
        match pipe.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => {
                bytes.extend_from_slice(&buffer[..count]);
                total += count;
                // The pipe is empty.
                if count < buffer.len() {
                    return true;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
    true
}

/// How a probe ends that found its lock taken.
const LOCKED: Ending = Ending::Exited { code: LOCK_TAKEN };

fn ending(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (_, Some(signal)) => Ending::Signalled { signal },
        (code, None) => Ending::Exited { code: code.unwrap_or(-1) },
    }
}
