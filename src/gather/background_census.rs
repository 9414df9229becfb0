//! The census of the running root, taken in a thread while probes run.

use std::cell::OnceCell;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use image_audit::{Audit, Census};
use protocol::Libraries;

use crate::facts::app_libraries;
use crate::facts::host::{GLIBC_LOADER, Host};

/// A census in a thread. A dead file system can block it forever, so it is not waited for beyond the deadline.
pub struct BackgroundCensus {
    receiver: Receiver<Result<Census, image_audit::Error>>,
    taken: OnceCell<Result<Census, image_audit::Error>>,
}

/// Part of the caller's time that is reserved for checks and output.
const RESERVE: Duration = Duration::from_millis(40);

impl BackgroundCensus {
    pub fn start(host: &Host, deadline: Instant) -> Self {
        let environment = host.loader_environment();
        let (mounts, (sender, receiver)) = (host.mounts.clone(), channel());
        let errors = sender.clone();
        let take = move || {
            let end = deadline - 2 * RESERVE;
            let audit = Audit::directory("/").environment(environment).mounts(&mounts).deadline(end);
            // Fails if the receiver no longer waits.
            drop(sender.send(audit.run()));
        };
        if let Err(error) = thread::Builder::new().spawn(take) {
            let reason = format!("not read because no thread could be started: {error}");
            drop(errors.send(Ok(Census::interrupted("/", reason))));
        }
        BackgroundCensus { receiver, taken: OnceCell::new() }
    }

    fn wait(&self, end: Instant) -> Option<&Result<Census, image_audit::Error>> {
        if self.taken.get().is_none() {
            let result = self.receiver.recv_timeout(end.saturating_duration_since(Instant::now())).ok()?;
            let _ = self.taken.set(result);
        }
        self.taken.get()
    }

    /// What the application would load. Devices wait for it for at most half of the time that is left: without a
    /// census, the loader chooses.
    pub fn libraries(&self, deadline: Instant) -> Libraries {
        let now = Instant::now();
        match self.wait(now + deadline.saturating_duration_since(now) / 2) {
            Some(Ok(census)) => app_libraries::libraries(census, GLIBC_LOADER),
            _ => Libraries::default(),
        }
    }

    pub fn finish(self, deadline: Instant) -> Result<Census> {
        if self.wait(deadline - RESERVE).is_none() {
            return Ok(Census::interrupted("/", "not read before the deadline"));
        }
        self.taken.into_inner().expect("it was waited for").context("cannot list the root directory")
    }
}
