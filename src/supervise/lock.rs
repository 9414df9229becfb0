//! One probe per target: finds the probe of another call that holds the lock of a target.
//!
//! The lock is an abstract socket that the probe binds: it needs no disk and disappears with the process. Abstract
//! sockets belong to the network namespace, which the containers of a pod share, so the name of the lock includes the
//! mount namespace. The holder is found by the name that probes give themselves, and its state is read from
//! `/proc/PID/stat`, which works even if the process is stuck in a system call. The socket is not protected: another
//! process of the network namespace can bind it and keep checks from running, which is a finding (`probe.another`).

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::thread;
use std::time::{Duration, Instant};

use super::signals;
use crate::facts::probe::{Holder, Target};

/// How often to look whether a lock is free.
pub const POLL: Duration = Duration::from_millis(20);

/// The name of a target's lock.
pub fn name(target: Target) -> String {
    // "mnt:[4026531841]"; without /proc, all containers of the network namespace share the lock.
    let namespace = fs::read_link("/proc/self/ns/mnt").unwrap_or_default();
    let namespace: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    match target {
        Target::Survey => format!("cudacheck.{namespace}.survey"),
        Target::Gpu(ordinal) => format!("cudacheck.{namespace}.gpu{ordinal}"),
    }
}

/// The probe that holds a lock.
pub fn holder(name: &str) -> Option<Holder> {
    let address = SocketAddr::from_abstract_name(name).ok()?;
    // Binding succeeds only if the lock is free. Connecting would fill the holder's backlog.
    if UnixListener::bind_addr(&address).is_ok() {
        return None;
    }
    by_name(name)
}

/// Waits until the lock is free, the deadline is reached, or its holder is stuck. Returns the holder that remains.
pub fn wait(name: &str, deadline: Instant) -> Option<Holder> {
    let address = SocketAddr::from_abstract_name(name).ok()?;
    let first = holder(name)?;
    let start = Instant::now();
    let stuck = || Holder { age: first.age + start.elapsed().as_secs_f64(), ..first.clone() }.is_stuck();
    while !stuck() && Instant::now() + POLL < deadline && signals::signalled().is_none() {
        if UnixListener::bind_addr(&address).is_ok() {
            return None;
        }
        thread::sleep(POLL);
    }
    holder(name)
}

/// A running process with the name of a probe of the same target. It may be in another mount namespace if that cannot
/// be read, because it belongs to another user.
fn by_name(name: &str) -> Option<Holder> {
    let gpu = name.rsplit_once(".gpu").map_or("", |(_, ordinal)| ordinal);
    let own = fs::read_link("/proc/self/ns/mnt").ok()?;
    let pids =
        fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec as f64;
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    pids.into_iter().find_map(|pid: u32| {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        let (of, _) = comm.strip_prefix("cc")?.split_once('/')?.1.split_once(':')?;
        if of != gpu || fs::read_link(format!("/proc/{pid}/ns/mnt")).is_ok_and(|other| other != own) {
            return None;
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // A zombie holds no lock.
        parse(pid, &stat, uptime, ticks).filter(|holder| !matches!(holder.state.as_str(), "Z" | "X"))
    })
}

/// Parses `/proc/PID/stat` (proc_pid_stat(5)) of a process with the name of a probe.
fn parse(pid: u32, stat: &str, uptime: f64, ticks: f64) -> Option<Holder> {
    let (head, rest) = stat.rsplit_once(") ")?;
    let name = head.split_once('(')?.1;
    let (timeout, stage) = name.strip_prefix("cc")?.split_once('/')?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let started: f64 = fields.get(19)?.parse().ok()?;
    Some(Holder {
        pid,
        state: fields.first()?.to_string(),
        stage: stage.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(':').to_owned(),
        age: (uptime - started / ticks).max(0.0),
        timeout: timeout.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stage_age_and_timeout_are_read_from_a_stat_line() {
        let tail = "0 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 500 0 0";
        let line = format!("77 (cc20/3:context) D 1 {}", tail.split_once(' ').unwrap().1);
        let holder = parse(77, &line, 30.0, 100.0).unwrap();
        assert_eq!((holder.pid, holder.state.as_str(), holder.stage.as_str()), (77, "D", "context"));
        assert_eq!((holder.timeout, holder.age), (20.0, 25.0));
    }

    #[test]
    fn other_processes_are_not_mistaken_for_probes() {
        for line in [
            "",
            "1 (init) S 0",
            "1 (cc) S 0",
            "1 (cc5/a) S",
            "1 (ccx/1:a) S 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        ] {
            assert!(parse(1, line, 1.0, 100.0).is_none(), "{line}");
        }
    }
}
