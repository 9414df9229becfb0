//! A small HTTP/1.1 server for short answers: one thread, one loop over `poll`, httparse for the heads of requests.
//!
//! Connections, their time and the size of a request are limited; request bodies are refused. It knows nothing about
//! the answers.

mod connection;
mod message;

use std::io::ErrorKind;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::supervise::signals;
use connection::Connection;
pub use message::{Answer, Request};

/// The most connections.
const CONNECTIONS: usize = 64;
/// File descriptors that checks need, and that are always open.
const RESERVED: usize = 32;
/// How long to stop accepting connections after accept failed, usually because no file descriptor was left.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until a signal arrives.
pub fn serve(listener: &TcpListener, answer: impl Fn(&Request) -> Answer) -> Result<()> {
    listener.set_nonblocking(true).context("cannot serve without blocking")?;
    let mut connections: Vec<Connection> = Vec::new();
    let limit = limit();
    let mut paused_until = Instant::now();
    while signals::signalled().is_none() {
        let now = Instant::now();
        connections.retain(|connection| connection.end > now);
        let accepts = paused_until <= now;
        let end = connections.iter().map(|connection| connection.end).min();
        let end = if paused_until > now {
            Some(end.map_or(paused_until, |end| end.min(paused_until)))
        } else {
            end
        };
        let time = end.and_then(|end| Timespec::try_from(end.saturating_duration_since(now)).ok());
        let mut descriptors: Vec<PollFd> = connections.iter().map(Connection::interest).collect();
        descriptors.extend(signals::pipe().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        descriptors.extend(accepts.then(|| PollFd::new(listener, PollFlags::IN)));
        match poll(&mut descriptors, time.as_ref()) {
            Ok(_) => {}
            // A signal: the loop checks for it.
            Err(Errno::INTR) => continue,
            Err(_) => {
                thread::sleep(PAUSE);
                continue;
            }
        }
        let ready: Vec<bool> =
            descriptors.iter().map(|descriptor| !descriptor.revents().is_empty()).collect();
        let mut number = 0;
        connections.retain_mut(|connection| {
            number += 1;
            !ready[number - 1] || connection.proceed(&answer)
        });
        if accepts && ready.last() == Some(&true) {
            match listener.accept() {
                Ok((stream, _)) => {
                    make_room(&mut connections, limit);
                    connections.extend(Connection::new(stream));
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => paused_until = Instant::now() + PAUSE,
            }
        }
    }
    Ok(())
}

/// At the limit, closes the connection that has been idle longest, or else the oldest: clients that send nothing must
/// not keep kubelet's probes out.
fn make_room(connections: &mut Vec<Connection>, limit: usize) {
    if connections.len() < limit {
        return;
    }
    let key = |(_, connection): &(usize, &Connection)| (!connection.is_idle(), connection.end);
    if let Some((oldest, _)) = connections.iter().enumerate().min_by_key(key) {
        connections.swap_remove(oldest);
    }
}

/// How many connections the limit of open files allows.
fn limit() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    files.saturating_sub(RESERVED).clamp(1, CONNECTIONS)
}
