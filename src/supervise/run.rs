//! Listens to running probes until each has ended or the deadline has come.
//!
//! A thread per pipe and per process feeds one queue, so that nothing a probe does can hold the
//! supervisor: a thread that waits for a process stuck in the kernel is simply left behind.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal};

use super::start::Started;
use crate::event::Event;
use crate::facts::probe::{Ending, ProbeRun, Target};

/// How long a killed process may take to be reaped. One that takes longer cannot be killed.
const REAP: Duration = Duration::from_millis(50);

/// How long the pipes of an ended process may stay open: a process that it forked holds them. Where its
/// last word has not come yet, it may be on the way still, held up by a quota of processor time.
const DRAIN: Duration = Duration::from_millis(20);
const LAST_WORD: Duration = Duration::from_secs(1);

/// What libraries print is kept up to so many bytes, the last ones.
const NOISE: usize = 16 * 1024;

/// A line longer than this is no event.
const LINE: u64 = 1 << 20;

enum Message {
    Event(usize, Box<Event>),
    Noise(usize, Vec<u8>),
    /// One of the two pipes has no writer any more.
    Closed(usize),
    Exited(usize, ExitStatus),
}

pub struct Running {
    sender: Sender<Message>,
    receiver: Receiver<Message>,
    probes: Vec<Probe>,
}

struct Probe {
    run: ProbeRun,
    start: Instant,
    pid: Pid,
    /// Names this very process, also after its number has been given away.
    handle: Option<rustix::fd::OwnedFd>,
    open_pipes: u8,
    exited: Option<Instant>,
    /// When it said that it is done. It may still be unable to end: a thread of it can be stuck.
    done: Option<Instant>,
    /// It is not waited for any more, though it or something that it started is still there.
    abandoned: bool,
    noise: Vec<u8>,
}

impl Running {
    pub fn new() -> Self {
        let (sender, receiver) = channel();
        Running { sender, receiver, probes: Vec::new() }
    }

    pub fn add(&mut self, target: Target, started: Started) {
        let number = self.probes.len();
        let Started { mut child, events, mut noise, way } = started;
        let pid = Pid::from_child(&child);
        let sender = self.sender.clone();
        thread::spawn(move || {
            let mut reader = BufReader::new(events);
            let mut line = Vec::new();
            while reader.by_ref().take(LINE).read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                // What is no event was not written by the probe.
                if let Ok(event) = serde_json::from_slice(&line) {
                    let _ = sender.send(Message::Event(number, event));
                }
                line.clear();
            }
            let _ = sender.send(Message::Closed(number));
        });
        let sender = self.sender.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = noise.read(&mut buffer) {
                let _ = sender.send(Message::Noise(number, buffer[..read].to_vec()));
            }
            let _ = sender.send(Message::Closed(number));
        });
        let sender = self.sender.clone();
        thread::spawn(move || {
            if let Ok(status) = child.wait() {
                let _ = sender.send(Message::Exited(number, status));
            }
        });
        self.probes.push(Probe {
            run: ProbeRun { way: Some(way), ..ProbeRun::new(target) },
            start: Instant::now(),
            pid,
            handle: rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok(),
            open_pipes: 2,
            exited: None,
            done: None,
            abandoned: false,
            noise: Vec::new(),
        });
    }

    /// Hears all probes out, or kills them at the deadline. Never waits longer than it must.
    pub fn finish(mut self, deadline: Instant) -> Vec<ProbeRun> {
        while self.probes.iter().any(|probe| !probe.over()) {
            let end = self.probes.iter().filter_map(Probe::patience).fold(deadline, Instant::min);
            match self.receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(message) => self.hear(message),
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {
                    self.probes.iter_mut().for_each(Probe::give_up);
                }
                Err(_) => break,
            }
        }
        // What has come by now counts, though nobody waits for more.
        while let Ok(message) = self.receiver.try_recv() {
            self.hear(message);
        }
        let late: Vec<usize> =
            (0..self.probes.len()).filter(|probe| self.probes[*probe].exited.is_none()).collect();
        for probe in &late {
            self.probes[*probe].run.ending = Ending::TimedOut { reaped: false };
        }
        self.probes.iter().for_each(Probe::kill);
        let end = Instant::now() + REAP;
        while late.iter().any(|probe| self.probes[*probe].exited.is_none()) {
            match self.receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(Message::Exited(probe, _)) => {
                    self.probes[probe].exited = Some(Instant::now());
                    self.probes[probe].run.ending = Ending::TimedOut { reaped: true };
                }
                Ok(message) => self.hear(message),
                Err(_) => break,
            }
        }
        self.probes.into_iter().map(Probe::report).collect()
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Event(probe, event) => {
                let probe = &mut self.probes[probe];
                if *event == Event::Done {
                    probe.done = Some(Instant::now());
                }
                probe.run.events.push(*event);
            }
            Message::Closed(probe) => self.probes[probe].open_pipes -= 1,
            Message::Noise(probe, bytes) => {
                let noise = &mut self.probes[probe].noise;
                noise.extend(bytes);
                let surplus = noise.len().saturating_sub(NOISE);
                noise.drain(..surplus);
            }
            Message::Exited(probe, status) => {
                let probe = &mut self.probes[probe];
                probe.exited = Some(Instant::now());
                probe.run.seconds = probe.start.elapsed().as_secs_f64();
                probe.run.ending = match (status.code(), status.signal()) {
                    (_, Some(signal)) => Ending::Signalled { signal },
                    (code, None) => Ending::Exited { code: code.unwrap_or(-1) },
                };
            }
        }
    }
}

impl Probe {
    fn over(&self) -> bool {
        self.abandoned || (self.exited.is_some() && self.open_pipes == 0)
    }

    /// When to stop waiting for a process that has said all, or for the pipes of one that has ended.
    fn patience(&self) -> Option<Instant> {
        if self.over() {
            return None;
        }
        match (self.exited, self.done) {
            (Some(exited), Some(_)) => Some(exited + DRAIN),
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

    /// Kills the process, and what it started where something of that is left. The number of a group
    /// without members may have been given away, so a process that has ended in order is let alone.
    fn kill(&self) {
        if self.exited.is_some() && !self.abandoned {
            return;
        }
        if let (Some(handle), None) = (&self.handle, self.exited) {
            let _ = rustix::process::pidfd_send_signal(handle, Signal::KILL);
        }
        let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
    }

    fn report(mut self) -> ProbeRun {
        if self.run.seconds == 0.0 {
            self.run.seconds = self.start.elapsed().as_secs_f64();
        }
        self.run.noise = String::from_utf8_lossy(&self.noise).into_owned();
        self.run
    }
}
