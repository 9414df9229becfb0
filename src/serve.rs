//! `cudacheck serve`: health endpoints, metrics and the report over HTTP.
//!
//! A thread runs checks at an interval ([`Checks`]) and records their results in the [`Status`]. The main thread answers
//! requests from it (`http.rs`), so no request calls the driver, and a check that hangs delays none.

mod http;
mod status;

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cli::{Serve, Watch};
use crate::render::metrics::Form;
use crate::report::Report;
use crate::supervise::signals;
use crate::{gather, pipeline, render};
use status::Status;

/// How long to wait for a running check after a signal: longer than it takes to kill and reap a probe.
const SHUTDOWN: Duration = Duration::from_millis(500);

/// Serves until a signal arrives.
pub fn run(options: &Serve) -> Result<()> {
    if options.max_age.is_some_and(|age| age < options.interval) {
        bail!("--max-age is shorter than --interval: every result would be stale before the next check");
    }
    // From here on, a signal makes this function return rather than end the program.
    let busy = signals::Busy::new();
    let listen = options.listen;
    let listener = TcpListener::bind(listen)
        .map_err(|error| anyhow!("cannot listen on {listen}: {error}; --listen sets another address"))?;
    let status = Arc::new(Status::new(options));
    let (shared, checks) = (Arc::clone(&status), Checks::new(options));
    thread::Builder::new().spawn(move || checks.run(&shared)).map_err(|error| {
        anyhow!("cannot start a thread for checks: {error}; docker run --pids-limit raises the limit")
    })?;
    render::notice(&format!("serving on http://{}", listener.local_addr().unwrap_or(listen)));
    http::serve(&listener, |request| status.answer(request))?;
    status.wait_for_check(Instant::now() + SHUTDOWN);
    // A clean shutdown exits with status 0; dropping the guard would exit with the signal's.
    std::mem::forget(busy);
    Ok(())
}

/// The checks to run, and how often.
struct Checks {
    usual: Watch,
    /// The check to run until one has passed.
    startup: Watch,
    interval: Duration,
    /// Where to write metrics for node_exporter.
    textfile: Option<std::path::PathBuf>,
}

impl Checks {
    fn new(options: &Serve) -> Self {
        let usual = options.watch.clone();
        let level = options.startup_level.unwrap_or(usual.level);
        let startup = Watch { level, timeout: options.startup_timeout.max(usual.timeout), ..usual.clone() };
        Checks { usual, startup, interval: options.interval, textfile: options.textfile.clone() }
    }

    fn run(&self, status: &Status) {
        while signals::signalled().is_none() {
            status.begin();
            let watch = if status.started() { &self.usual } else { &self.startup };
            let result = check(watch);
            // The signal killed the probes, so the result says nothing about the GPUs.
            if signals::signalled().is_some() {
                return status.discard();
            }
            status.record(result);
            if let Some(file) = &self.textfile
                && let Err(error) = render::textfile(file, &status.metrics(Form::Prometheus))
            {
                render::notice(&format!("{error:#}"));
            }
            sleep(self.interval);
        }
    }
}

fn check(watch: &Watch) -> Result<Report> {
    let start = Instant::now();
    let facts = gather::watch(watch, start + watch.timeout)?;
    pipeline::report(&facts, start, None)
}

/// Sleeps until the time is over or a signal arrives.
fn sleep(time: Duration) {
    let mut signal: Vec<PollFd> =
        signals::pipe().map(|pipe| PollFd::new(pipe, PollFlags::IN)).into_iter().collect();
    // An error only makes the sleep shorter.
    let _ = poll(&mut signal, Timespec::try_from(time).ok().as_ref());
}
