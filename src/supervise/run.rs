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
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};

use super::signals;
use super::start::Started;
use crate::facts::event::Event;
use crate::facts::probe::{Ending, ProbeRun, Target};
use protocol::TAKEN;

/// How long a killed process may take to be reaped. One that takes longer cannot be killed.
const REAP: Duration = Duration::from_millis(50);

/// How long a process that has said all, and waits for nothing, may take to end. Then it is left to the next call,
/// which finds it if it is stuck.
const LEAVE: Duration = Duration::from_secs(2);

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
    /// Reaps what has ended since nobody waits for it any more: probes that could not be killed, and what
    /// libraries started. Not while one of these lives: its statuses are its own.
    pub fn reap_rest() {
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
    }

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
        while self.probes.iter().any(|probe| !probe.over()) && signals::signalled().is_none() {
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
        self.probes.iter().filter(|probe| probe.exited.is_some()).for_each(|probe| probe.end_group(end));
        while late.iter().any(|probe| self.probes[*probe].exited.is_none()) && Instant::now() < end {
            self.hear(end);
        }
        for probe in late {
            let probe = &mut self.probes[probe];
            probe.run.ending = Ending::TimedOut { reaped: probe.exited.is_some() };
            if probe.exited.is_some() {
                probe.end_group(end);
            }
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
        if let Some(pipe) = signals::pipe().filter(|_| signals::signalled().is_none()) {
            descriptors.push(PollFd::from_borrowed_fd(pipe.as_fd(), PollFlags::IN));
            sources.push(Source::Signal);
        }
        let left = end.saturating_duration_since(Instant::now());
        let left = if blind { left.min(ASK) } else { left };
        let heard = match poll(&mut descriptors, Timespec::try_from(left).ok().as_ref()) {
            Ok(ready) => ready > 0,
            Err(Errno::INTR) => false,
            // No memory for it, perhaps: not asked again at once.
            Err(_) => {
                std::thread::sleep(ASK);
                false
            }
        };
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
            // What it still waits for in a thread will not come; where there is nothing, its end takes its time:
            // the kernel gives back all that a driver holds for it.
            (None, Some(done)) if self.run.open_calls().is_empty() => Some(done + LEAVE),
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

    fn hear_noise(&mut self) {
        if !self.noise.as_mut().is_some_and(|pipe| read(pipe, &mut self.printed)) {
            self.noise = None;
        }
        let surplus = self.printed.len().saturating_sub(NOISE);
        self.printed.drain(..surplus);
    }

    fn reap(&mut self) {
        let ending = match self.child.try_wait() {
            Ok(None) => return,
            Ok(Some(status)) => ending(status),
            // Somebody else has reaped it, so that nobody knows how it ended.
            Err(_) => Ending::Exited { code: -1 },
        };
        self.exited = Some(Instant::now());
        self.run.seconds = self.start.elapsed().as_secs_f64();
        self.run.ending = ending;
    }

    /// Kills the process if it has not ended, and what it started with it.
    fn kill(&self) {
        if self.exited.is_some() {
            return;
        }
        if let Some(handle) = &self.handle {
            let _ = rustix::process::pidfd_send_signal(handle, Signal::KILL);
        }
        let _ = rustix::process::kill_process_group(Pid::from_child(&self.child), Signal::KILL);
    }

    /// Ends and reaps what a library started in the probe, whose parent this program is since the probe has
    /// ended. As long as there is such a process, the number of the group is nobody else's.
    fn end_group(&self, end: Instant) {
        let group = Pid::from_child(&self.child);
        while let Ok(status) = rustix::process::waitpgid(group, WaitOptions::NOHANG) {
            if status.is_none() {
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
                if Instant::now() >= end {
                    return;
                }
                std::thread::sleep(ASK);
            }
        }
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

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;
    use crate::facts::probe::Way;

    /// A shell in the place of the probe: its output is the pipe for events.
    fn run(script: &str, deadline: Duration) -> (ProbeRun, Duration) {
        let (events, events_in) = std::io::pipe().unwrap();
        let (noise, noise_in) = std::io::pipe().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdout(OwnedFd::from(events_in)).stderr(OwnedFd::from(noise_in));
        let child = command.process_group(0).spawn().unwrap();
        // With it go its copies of the writing ends.
        drop(command);
        let mut running = Running::default();
        running.add(Target::Survey, Started { child, events, noise, way: Way::Memory });
        let start = Instant::now();
        let run = running.finish(start + deadline).pop().unwrap();
        (run, start.elapsed())
    }

    const LONG: Duration = Duration::from_secs(20);
    const ENTER: &str = r#"echo '{"enter":{"stage":"nvml-device","call":"ask","gpu":0}}'"#;

    #[test]
    fn an_end_that_takes_its_time_is_no_fault() {
        let (run, time) = run("echo '\"done\"'; sleep 0.4", LONG);
        assert_eq!((run.ending, run.events), (Ending::Exited { code: 0 }, vec![Event::Done]));
        assert!(time < Duration::from_secs(2), "{time:?}");
    }

    #[test]
    fn what_it_still_waits_for_when_it_has_said_all_is_not_waited_for() {
        let (run, time) = run(&format!("{ENTER}; echo '\"done\"'; exec sleep 30"), LONG);
        assert_eq!(run.ending, Ending::TimedOut { reaped: true });
        assert_eq!(run.open_calls().len(), 1);
        assert!(time < Duration::from_secs(1), "{time:?}");
    }

    #[test]
    fn at_the_deadline_it_is_ended() {
        let (run, time) = run(&format!("{ENTER}; exec sleep 30"), Duration::from_millis(300));
        assert_eq!(run.ending, Ending::TimedOut { reaped: true });
        assert!(time >= Duration::from_millis(300) && time < Duration::from_millis(600), "{time:?}");
    }

    #[test]
    fn events_come_in_pieces_and_among_junk() {
        let script = r#"echo junk; echo '{"enter":{}}'; head -c 2000000 /dev/zero | tr '\0' x; echo;
            printf '"do'; sleep 0.1; printf 'ne"\n'; head -c 300000 /dev/zero >&2; printf end >&2"#;
        let (run, _) = run(script, LONG);
        assert_eq!((run.ending, run.events), (Ending::Exited { code: 0 }, vec![Event::Done]));
        assert!(run.noise.len() <= NOISE && run.noise.ends_with("end"), "{} bytes", run.noise.len());
    }

    #[test]
    fn a_signal_and_a_status_are_told() {
        assert_eq!(run("kill -SEGV $$", LONG).0.ending, Ending::Signalled { signal: 11 });
        assert_eq!(run("exit 75", LONG).0.ending, Ending::Exited { code: TAKEN });
    }
}
