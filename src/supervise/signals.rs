//! Signals that ask this program to end.
//!
//! As process 1 of a container it has no default action for them, and `docker stop` would wait for nothing. While
//! no probe runs, a signal ends the program at once. While one runs it is ended and reaped first, since process 1
//! of a container often reaps nobody ([`Busy`]); `serve` is busy for as long as it serves.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

/// How many have something to put in order before the program may end.
static BUSY: AtomicUsize = AtomicUsize::new(0);

struct Signals {
    /// The number of the last one, or 0.
    last: Arc<AtomicUsize>,
    /// Nobody is busy.
    idle: Arc<AtomicBool>,
    /// Has something to read from the first signal on; nobody takes it out.
    pipe: UnixStream,
}

static SIGNALS: OnceLock<Signals> = OnceLock::new();

/// Once, before anything is started.
pub fn listen() -> io::Result<()> {
    // A caller may have it ignored, and that is inherited: probes would then be reaped by the kernel, unseen.
    signal_hook::flag::register(SIGCHLD, Arc::new(AtomicBool::new(false)))?;
    // A file that a limit forbids is an error to tell of, and nothing to die of.
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

/// The signal that has come.
pub fn signalled() -> Option<i32> {
    let last = SIGNALS.get()?.last.load(SeqCst);
    i32::try_from(last).ok().filter(|signal| *signal != 0)
}

/// For `poll`: ready to be read from the first signal on.
pub fn pipe() -> Option<&'static UnixStream> {
    SIGNALS.get().map(|signals| &signals.pipe)
}

/// While one of these lives, a signal does not end the program. With the last of them it does.
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
        // One that came meanwhile.
        if let Some(signal) = signalled() {
            std::process::exit(128 + signal);
        }
    }
}
