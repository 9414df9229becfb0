//! Listens to running probes until each has ended or the deadline is reached.
//!
//! One loop over `poll` waits for the two pipes and the process of every probe, and for a signal to this program.
//! There are no threads, so it works with a full process table, and it never blocks on a probe. `probe.rs` handles a
//! single probe.

mod probe;

use std::os::fd::AsFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::WaitOptions;

use super::signals;
use super::start::Started;
use crate::facts::probe::{Ending, ProbeRun, Target};
use probe::{POLL, Probe, REAP};

#[derive(Default)]
pub struct Running {
    probes: Vec<Probe>,
}

/// What a descriptor of the loop belongs to.
#[derive(Clone, Copy)]
enum Source {
    Events(usize),
    Output(usize),
    Process(usize),
    Signal,
}

impl Running {
    /// Reaps processes that earlier calls abandoned: probes that could not be killed, and what libraries started.
    /// Must not be called while probes run, because it would take their exit statuses.
    pub fn reap_rest() {
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
    }

    pub fn add(&mut self, target: Target, started: Started) {
        self.probes.push(Probe::new(target, started));
    }

    /// Listens until all probes have ended; kills them at the deadline or when a signal arrives.
    pub fn finish(mut self, deadline: Instant) -> Vec<ProbeRun> {
        while self.probes.iter().any(|probe| !probe.is_over()) && signals::signalled().is_none() {
            let end = self.probes.iter().filter_map(Probe::wait_until).fold(deadline, Instant::min);
            self.listen(end);
            if Instant::now() >= deadline {
                break;
            }
            self.probes.iter_mut().for_each(Probe::abandon_if_due);
        }
        // Take what has arrived by now.
        self.listen(Instant::now());
        self.kill();
        self.probes.into_iter().map(Probe::into_run).collect()
    }

    /// Kills the probes that have not exited, and the processes that probes started.
    fn kill(&mut self) {
        let late: Vec<usize> =
            (0..self.probes.len()).filter(|probe| self.probes[*probe].exited.is_none()).collect();
        self.probes.iter().for_each(Probe::kill);
        let end = Instant::now() + REAP;
        self.probes.iter().filter(|probe| probe.exited.is_some()).for_each(|probe| probe.kill_group(end));
        while late.iter().any(|probe| self.probes[*probe].exited.is_none()) && Instant::now() < end {
            self.listen(end);
        }
        for probe in late {
            let probe = &mut self.probes[probe];
            probe.run.ending = Ending::TimedOut { reaped: probe.exited.is_some() };
            if probe.exited.is_some() {
                probe.kill_group(end);
            }
        }
    }

    /// Waits until something arrives or `end` is reached, and takes what has arrived.
    fn listen(&mut self, end: Instant) {
        for source in self.wait(end) {
            match source {
                Source::Events(number) => self.probes[number].read_events(),
                Source::Output(number) => self.probes[number].read_output(),
                Source::Process(number) => self.probes[number].reap(),
                Source::Signal => {}
            }
        }
        self.probes.iter_mut().filter(|probe| probe.needs_polling()).for_each(Probe::reap);
    }

    /// Waits until something is ready or `end` is reached.
    fn wait(&self, end: Instant) -> Vec<Source> {
        let mut sources = Vec::new();
        let mut descriptors = Vec::new();
        for (number, probe) in self.probes.iter().enumerate() {
            let pipes = [
                (probe.events.as_ref(), Source::Events(number)),
                (probe.output.as_ref(), Source::Output(number)),
            ];
            for (pipe, source) in pipes {
                if let Some(pipe) = pipe.filter(|_| !probe.abandoned) {
                    descriptors.push(PollFd::new(pipe, PollFlags::IN));
                    sources.push(source);
                }
            }
            if let Some(handle) = probe.handle.as_ref().filter(|_| probe.exited.is_none()) {
                descriptors.push(PollFd::new(handle, PollFlags::IN));
                sources.push(Source::Process(number));
            }
        }
        // The signal is never read from the pipe, so after it the pipe would always be ready.
        if let Some(pipe) = signals::pipe().filter(|_| signals::signalled().is_none()) {
            descriptors.push(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN));
            sources.push(Source::Signal);
        }
        let left = end.saturating_duration_since(Instant::now());
        let left = if self.probes.iter().any(Probe::needs_polling) { left.min(POLL) } else { left };
        match poll(&mut descriptors, Timespec::try_from(left).ok().as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Vec::new(),
            Err(_) => {
                // Out of memory, perhaps: do not spin.
                std::thread::sleep(POLL);
                return Vec::new();
            }
        }
        let ready = descriptors.iter().map(|descriptor| !descriptor.revents().is_empty());
        sources.into_iter().zip(ready).filter_map(|(source, ready)| ready.then_some(source)).collect()
    }
}

#[cfg(test)]
mod tests;
