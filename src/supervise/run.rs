//! Listens to running probes until each has ended or the deadline has come.
//!
//! One loop over `poll`: the two pipes and the process of every probe, and the pipe that tells of a signal to
//! this program. No threads, so that a full process table costs at most a probe; and nothing that a probe
//! does can hold the loop, since it reads only what is there.

use std::io::{ErrorKind, PipeReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal};

use super::start::Started;
use super::stop;
use crate::event::{Event, TAKEN};
use crate::facts::probe::{Ending, ProbeRun, Target};
use crate::json;

/// How long a killed process may take to be reaped. One that takes longer cannot be killed.
const REAP: Duration = Duration::from_millis(50);

/// How long the pipes of an ended process may stay open: a process that it forked holds them. Where its
/// last word has not come yet, it may be on the way still, held up by a quota of processor time.
const DRAIN: Duration = Duration::from_millis(20);
const LAST_WORD: Duration = Duration::from_secs(1);

/// How often a process is asked after where the kernel gives no handle for it (before Linux 5.3).
const ASK: Duration = Duration::from_millis(5);

/// What libraries print is kept up to so many bytes, the last ones.
const NOISE: usize = 16 * 1024;

/// A line longer than this is no event.
const LINE: usize = 1 << 20;

/// So many bytes are taken from one pipe before the others have their turn.
const TURN: usize = 64 * 1024;

#[derive(Default)]
pub struct Running {
    probes: Vec<Probe>,
}

struct Probe {
    run: ProbeRun,
    start: Instant,
    child: Child,
    /// Names this very process, also after its number has been given away; ready to be read when it ends.
    handle: Option<OwnedFd>,
    /// `None` once nobody holds the other end any more.
    events: Option<PipeReader>,
    noise: Option<PipeReader>,
    /// The beginning of the next event, and whether it has become too long to be one.
    line: Vec<u8>,
    overlong: bool,
    exited: Option<Instant>,
    /// When it said that it is done. It may still be unable to end: a thread of it can be stuck.
    done: Option<Instant>,
    /// It is not waited for any more, though it or something that it started is still there.
    abandoned: bool,
    printed: Vec<u8>,
}

/// What a descriptor of the loop belongs to.
#[derive(Clone, Copy)]
enum Source {
    Events(usize),
    Noise(usize),
    Process(usize),
    Signal,
}

impl Running {
    pub fn add(&mut self, target: Target, started: Started) {
        let Started { child, events, noise, way } = started;
        for pipe in [&events, &noise] {
            // Never refused for a pipe.
            let _ = rustix::fs::fcntl_setfl(pipe, rustix::fs::OFlags::NONBLOCK);
        }
        self.probes.push(Probe {
            run: ProbeRun { way: Some(way), ..ProbeRun::new(target) },
            start: Instant::now(),
            handle: rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).ok(),
            child,
            events: Some(events),
            noise: Some(noise),
            line: Vec::new(),
            overlong: false,
            exited: None,
            done: None,
            abandoned: false,
            printed: Vec::new(),
        });
    }

    /// Hears all probes out, or kills them at the deadline or at a signal. Never waits longer than it must.
    pub fn finish(mut self, deadline: Instant) -> Vec<ProbeRun> {
        while self.probes.iter().any(|probe| !probe.over()) && stop::signalled().is_none() {
            let end = self.probes.iter().filter_map(Probe::patience).fold(deadline, Instant::min);
            self.hear(end);
            if Instant::now() >= deadline {
                break;
            }
            self.probes.iter_mut().for_each(Probe::give_up);
        }
        // What has come by now counts, though nobody waits for more.
        self.hear(Instant::now());
        let late: Vec<usize> =
            (0..self.probes.len()).filter(|probe| self.probes[*probe].exited.is_none()).collect();
        for probe in &late {
            self.probes[*probe].run.ending = Ending::TimedOut { reaped: false };
        }
        self.probes.iter().for_each(Probe::kill);
        let end = Instant::now() + REAP;
        while late.iter().any(|probe| self.probes[*probe].exited.is_none()) && Instant::now() < end {
            self.hear(end);
        }
        for probe in late {
            let probe = &mut self.probes[probe];
            probe.run.ending = Ending::TimedOut { reaped: probe.exited.is_some() };
        }
        self.probes.into_iter().map(Probe::report).collect()
    }

    /// Waits until something comes or the time is over, and takes what is there.
    fn hear(&mut self, end: Instant) {
        let mut sources = Vec::new();
        let mut descriptors = Vec::new();
        let mut blind = false;
        for (number, probe) in self.probes.iter().enumerate() {
            let pipes = [
                (probe.events.as_ref(), Source::Events(number)),
                (probe.noise.as_ref(), Source::Noise(number)),
            ];
            for (pipe, source) in pipes {
                if let Some(pipe) = pipe.filter(|_| !probe.abandoned) {
                    descriptors.push(PollFd::new(pipe, PollFlags::IN));
                    sources.push(source);
                }
            }
            match &probe.handle {
                _ if probe.exited.is_some() => {}
                Some(handle) => {
                    descriptors.push(PollFd::new(handle, PollFlags::IN));
                    sources.push(Source::Process(number));
                }
                None => blind = true,
            }
        }
        // A signal that has come stays there to be read: after it only the clock and the probes count.
        if let Some(pipe) = stop::pipe().filter(|_| stop::signalled().is_none()) {
            descriptors.push(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN));
            sources.push(Source::Signal);
        }
        let left = end.saturating_duration_since(Instant::now());
        let left = if blind { left.min(ASK) } else { left };
        let time = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let heard = poll(&mut descriptors, Some(&time)).unwrap_or(0) > 0;
        let ready = descriptors.iter().map(|descriptor| !descriptor.revents().is_empty());
        let ready: Vec<Source> =
            sources.into_iter().zip(ready).filter_map(|(source, ready)| ready.then_some(source)).collect();
        for source in ready.into_iter().filter(|_| heard) {
            match source {
                Source::Events(number) => self.probes[number].hear_events(),
                Source::Noise(number) => self.probes[number].hear_noise(),
                Source::Process(number) => self.probes[number].reap(),
                Source::Signal => {}
            }
        }
        if blind {
            self.probes.iter_mut().filter(|probe| probe.handle.is_none()).for_each(Probe::reap);
        }
    }
}

impl Probe {
    fn over(&self) -> bool {
        self.abandoned || (self.exited.is_some() && self.events.is_none() && self.noise.is_none())
    }

    /// When to stop waiting for a process that has said all, or for the pipes of one that has ended.
    fn patience(&self) -> Option<Instant> {
        if self.over() {
            return None;
        }
        match (self.exited, self.done) {
            (Some(exited), Some(_)) => Some(exited + DRAIN),
            // One that left its place to another probe has nothing to say.
            (Some(exited), None) if self.run.ending == (Ending::Exited { code: TAKEN }) => Some(exited),
            (Some(exited), None) => Some(exited + LAST_WORD),
            (None, Some(done)) => Some(done + REAP),
            (None, None) => None,
        }
    }

    fn give_up(&mut self) {
        if self.patience().is_some_and(|end| end <= Instant::now()) {
            self.abandoned = true;
        }
    }

    fn hear_events(&mut self) {
        let mut bytes = Vec::new();
        if !self.events.as_mut().is_some_and(|pipe| read(pipe, &mut bytes)) {
            self.events = None;
        }
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + part.len() > LINE {
                self.overlong = true;
                self.line.clear();
            }
            if !self.overlong {
                self.line.extend_from_slice(part);
            }
            if !part.ends_with(b"\n") {
                continue;
            }
            // What is no event was not written by the probe.
            if let Ok(event) = json::from_slice::<Event>(&self.line) {
                if event == Event::Done {
                    self.done = Some(Instant::now());
                }
                self.run.events.push(event);
            }
            self.line.clear();
            self.overlong = false;
        }
    }

    fn hear_noise(&mut self) {
        if !self.noise.as_mut().is_some_and(|pipe| read(pipe, &mut self.printed)) {
            self.noise = None;
        }
        let surplus = self.printed.len().saturating_sub(NOISE);
        self.printed.drain(..surplus);
    }

    fn reap(&mut self) {
        let Ok(Some(status)) = self.child.try_wait() else { return };
        self.exited = Some(Instant::now());
        self.run.seconds = self.start.elapsed().as_secs_f64();
        self.run.ending = ending(status);
    }

    /// Kills the process, and what it started where something of that is left. The number of a group
    /// without members may have been given away, so a process that has ended in order is let alone.
    fn kill(&self) {
        if self.exited.is_some() && !self.abandoned {
            return;
        }
        if let (Some(handle), None) = (&self.handle, self.exited) {
            let _ = rustix::process::pidfd_send_signal(handle, Signal::KILL);
        }
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }

    fn report(mut self) -> ProbeRun {
        if self.run.seconds == 0.0 {
            self.run.seconds = self.start.elapsed().as_secs_f64();
        }
        self.run.noise = String::from_utf8_lossy(&self.printed).into_owned();
        self.run
    }
}

/// Takes what is there, up to a turn's worth. False: nobody holds the other end any more.
fn read(pipe: &mut PipeReader, bytes: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 4096];
    let mut taken = 0;
    while taken < TURN {
        match pipe.read(&mut buffer) {
            Ok(0) => return false,
            Ok(count) => {
                bytes.extend_from_slice(&buffer[..count]);
                taken += count;
                // What is less than was asked for is all that there is.
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

fn ending(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (_, Some(signal)) => Ending::Signalled { signal },
        (code, None) => Ending::Exited { code: code.unwrap_or(-1) },
    }
}
