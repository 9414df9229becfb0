//! The actions that a script can assign to a function: statuses, hangs, crashes, noise.
//!
//! They run before the function does anything else and while no lock is held, so that a call that
//! hangs for one GPU leaves the others alone.

use std::ffi::{c_int, c_void};
use std::thread::sleep;
use std::time::Duration;

use super::script;

const SIGTERM: c_int = 15;
const PROT_NONE: c_int = 0;
const MAP_PRIVATE_ANONYMOUS: c_int = 0x22;
const FLOOD_BYTES: usize = 4 << 20;

// SAFETY: the signatures are those of POSIX; those marked safe have no preconditions.
unsafe extern "C" {
    safe fn _exit(status: c_int) -> !;
    safe fn abort() -> !;
    safe fn fork() -> c_int;
    safe fn signal(number: c_int, handler: usize) -> usize;
    fn write(fd: c_int, bytes: *const c_void, count: usize) -> isize;
    fn mmap(
        address: *mut c_void,
        length: usize,
        protection: c_int,
        flags: c_int,
        fd: c_int,
        offset: i64,
    ) -> *mut c_void;
}

/// Runs the script's actions for this symbol. `Some` is the status to return at once; with `None` the
/// function continues normally.
pub fn scripted(symbol: &str, gpu: Option<u32>) -> Option<i64> {
    let actions = script::lookup(gpu, symbol)?;
    actions.split(',').find_map(|action| run(action.trim(), symbol))
}

/// Ends the process because the script itself is wrong.
pub fn give_up(problem: &str) -> ! {
    eprintln!("fake GPU script: {problem}");
    _exit(97)
}

fn run(action: &str, symbol: &str) -> Option<i64> {
    let (word, argument) = action.split_once(':').unwrap_or((action, ""));
    match word {
        "hang" => hang(),
        "hang-ignoring-term" => {
            const SIG_IGN: usize = 1;
            signal(SIGTERM, SIG_IGN);
            hang()
        }
        "segv" => segv(),
        "abort" => abort(),
        "exit" => _exit(argument.parse().unwrap_or(0)),
        "sleep" => sleep(Duration::from_millis(argument.parse().unwrap_or_else(|_| bad(action, symbol)))),
        "flood" => flood(),
        "print" => eprintln!("{argument}"),
        "fork" => leave_a_child(),
        "lost" => return Some(crate::LOST.into()),
        _ => return Some(action.parse().unwrap_or_else(|_| bad(action, symbol))),
    }
    None
}

fn bad(action: &str, symbol: &str) -> ! {
    give_up(&format!("{symbol} = {action}: no such action"))
}

fn hang() -> ! {
    loop {
        sleep(Duration::from_secs(3600));
    }
}

/// A real fault of the memory unit: `kill(SIGSEGV)` would look different to a signal handler, and
/// a null pointer is caught by Rust's own checks in debug builds.
fn segv() -> ! {
    // SAFETY: the page is ours and unreadable by design; touching it is the purpose.
    unsafe {
        let page = mmap(std::ptr::null_mut(), 4096, PROT_NONE, MAP_PRIVATE_ANONYMOUS, -1, 0);
        page.cast::<u8>().write_volatile(1);
    }
    abort()
}

/// Junk on both streams: noise, half a JSON line, lines that look like events, invalid UTF-8. It would
/// break a supervisor that reads events from a stream to which libraries can write.
fn flood() {
    const JUNK: &[u8] = b"NVRM: junk from a library, nothing to see here\n\
        {\"event\":\"done\",\"stage\":\"gemm\",\"ok\":true}\n\
        {\"type\":\"hello\",\"version\":1}\n\
        {\"event\":\"enter\",\"call\":\"cuIn\n\
        \xff\xfe\x00 not text \x1b[31m\n";
    let chunk = JUNK.repeat(64);
    for fd in [1, 2] {
        let mut sent = 0;
        while sent < FLOOD_BYTES {
            // SAFETY: the buffer is alive and as long as the count says.
            let wrote = unsafe { write(fd, chunk.as_ptr().cast(), chunk.len()) };
            match usize::try_from(wrote) {
                Ok(count) if count > 0 => sent += count,
                _ => break,
            }
        }
    }
}

/// A child that outlives its parent and keeps every inherited descriptor open.
fn leave_a_child() {
    if fork() == 0 {
        sleep(Duration::from_secs(600));
        _exit(0)
    }
}
