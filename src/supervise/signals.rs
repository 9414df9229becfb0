//! Signals that terminate this program.
//!
//! As process 1 of a container it has no default action for them, and `docker stop` would time out. While no probe
//! runs, a signal ends the program at once. While one runs ([`Busy`]), the program kills and reaps it first, because
//! process 1 of a container often does not reap orphans. `serve` is always busy.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

/// Number of [`Busy`] guards.
static BUSY: AtomicUsize = AtomicUsize::new(0);

struct Signals {
    /// The last signal, or 0.
    last: Arc<AtomicUsize>,
    /// There is no [`Busy`] guard: a signal ends the program.
    idle: Arc<AtomicBool>,
    /// Readable from the first signal on, because it is never read.
    pipe: UnixStream,
}

static SIGNALS: OnceLock<Signals> = OnceLock::new();

/// Installs the handlers. Call once, before starting threads or processes.
pub fn listen() -> io::Result<()> {
    // If the caller ignores SIGCHLD, this program inherits that, and the kernel would discard the statuses of probes.
    signal_hook::flag::register(SIGCHLD, Arc::new(AtomicBool::new(false)))?;
    // Exceeding the file size limit should be a write error, not a crash.
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    let (last, idle) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(true)));
    let (pipe, writer) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::flag::register_usize(signal, Arc::clone(&last), signal as usize)?;
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&idle))?;
        signal_hook::low_level::pipe::register(signal, writer.try_clone()?)?;
    }
    let _ = SIGNALS.set(Signals { last, idle, pipe });
    Ok(())
}

/// The signal that this program received.
pub fn signalled() -> Option<i32> {
    let last = SIGNALS.get()?.last.load(SeqCst);
    i32::try_from(last).ok().filter(|signal| *signal != 0)
}

/// For `poll`: readable from the first signal on.
pub fn pipe() -> Option<&'static UnixStream> {
    SIGNALS.get().map(|signals| &signals.pipe)
}

/// A guard: while there is one, a signal does not end the program. Dropping the last one ends it if a signal arrived.
pub struct Busy(());

impl Busy {
    pub fn new() -> Self {
        BUSY.fetch_add(1, SeqCst);
        if let Some(signals) = SIGNALS.get() {
            signals.idle.store(false, SeqCst);
        }
        Busy(())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if BUSY.fetch_sub(1, SeqCst) > 1 {
            return;
        }
        if let Some(signals) = SIGNALS.get() {
            signals.idle.store(true, SeqCst);
        }
        if let Some(signal) = signalled() {
            std::process::exit(128 + signal);
        }
    }
}
