//! `cudacheck serve`: the answers of probes, metrics and the report over HTTP.
//!
//! Checks are made at their own pace in a thread of their own ([`Checks`]), and leave what they found on a status
//! (`status.rs`). Requests are answered from the status by the main thread (`http.rs`): none of them causes a
//! call into the driver, and a check that hangs holds none up.

mod http;
mod status;

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cli::{Serve, Watch};
use crate::report::Report;
use crate::supervise::signals;
use crate::{gather, pipeline, render};
use status::Status;

/// How long the end of a running check is waited for when a signal has come: what it takes to end and reap a
/// probe, with some to spare.
const LEAVE: Duration = Duration::from_millis(500);

/// Serves until a signal comes.
pub fn run(options: &Serve) -> Result<()> {
    if options.max_age.is_some_and(|age| age < options.interval) {
        bail!(
            "--max-age is shorter than --interval: every result would be stale before the next check begins"
        );
    }
    // From here on a signal ends the program by the return of this function.
    let busy = signals::Busy::new();
    let listen = options.listen;
    let listener = TcpListener::bind(listen)
        .with_context(|| format!("cannot listen on {listen}: name another address with --listen"))?;
    let status = Arc::new(Status::new(options));
    let (theirs, checks) = (Arc::clone(&status), Checks::new(options));
    thread::Builder::new().spawn(move || checks.run(&theirs)).context(
        "cannot start the thread of the checks: raise the limit of processes (docker run --pids-limit)",
    )?;
    render::tell(&format!("serving on http://{}", listener.local_addr().unwrap_or(listen)));
    http::serve(&listener, |request| status.answer(request))?;
    status.wait_for_the_check(Instant::now() + LEAVE);
    // It was asked to end and has ended in order, which is status 0 and no signal's.
    std::mem::forget(busy);
    Ok(())
}

struct Checks {
    usual: Watch,
    /// Until one has passed.
    first: Watch,
    interval: Duration,
    textfile: Option<std::path::PathBuf>,
}

impl Checks {
    fn new(options: &Serve) -> Self {
        let usual = options.watch.clone();
        let level = options.startup_level.unwrap_or(usual.level);
        let first = Watch { level, timeout: options.startup_timeout.max(usual.timeout), ..usual.clone() };
        Checks { usual, first, interval: options.interval, textfile: options.textfile.clone() }
    }

    fn run(&self, status: &Status) {
        while signals::signalled().is_none() {
            status.begin();
            let watch = if status.started() { &self.usual } else { &self.first };
            let result = check(watch);
            // A probe that was ended by the signal says nothing about a GPU.
            if signals::signalled().is_some() {
                return status.give_up();
            }
            status.end(result);
            if let Some(file) = &self.textfile
                && let Err(error) = render::textfile(file, &status.metrics_for_a_file())
            {
                render::tell(&format!("{error:#}"));
            }
            rest(self.interval);
        }
    }
}

fn check(watch: &Watch) -> Result<Report> {
    let start = Instant::now();
    let facts = gather::watch(watch, start + watch.timeout)?;
    pipeline::report(&facts, start, None)
}

/// Sleeps, unless a signal comes.
fn rest(time: Duration) {
    let mut signal: Vec<PollFd> =
        signals::pipe().map(|pipe| PollFd::new(pipe, PollFlags::IN)).into_iter().collect();
    // An interruption makes one pause shorter, no more.
    let _ = poll(&mut signal, Timespec::try_from(time).ok().as_ref());
}
