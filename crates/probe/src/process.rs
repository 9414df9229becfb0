//! The probe's own process: its streams, its parent, its lock, its name and its end.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use protocol::{Stage, TAKEN};

/// Takes the event pipe from standard input, where the supervisor puts it, and leaves an empty
/// stream in its place, so that no library reads or writes it by accident. All else that was
/// inherited is closed: a stuck probe must not hold what the supervisor's caller waits for.
pub fn claim_standard_streams() -> File {
    // SAFETY: nothing of this process is open yet above the standard streams. By number, since
    // glibc has a function for it only from 2.34; a kernel before 5.9 refuses and changes nothing.
    if unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) } != 0 {
        for descriptor in 3..256 {
            // SAFETY: as above; closing a number that is not open is refused.
            unsafe { libc::close(descriptor) };
        }
    }
    // SAFETY: descriptor 0 is open, the supervisor put the pipe there; F_DUPFD_CLOEXEC makes a new one.
    let pipe = unsafe { libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 10) };
    if pipe < 0 {
        leave();
    }
    let empty = File::open("/dev/null").map(OwnedFd::from).ok().or_else(|| {
        // A root without /dev/null: the read end of a pipe that nobody writes to.
        let mut ends = [0; 2];
        // SAFETY: `ends` has room for the two descriptors that pipe2 writes.
        if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
            return None;
        }
        // SAFETY: both descriptors are new and owned by nobody else.
        let [read, _write] = unsafe { ends.map(|end| OwnedFd::from_raw_fd(end)) };
        Some(read)
    });
    if let Some(empty) = empty {
        // SAFETY: both are open descriptors; dup2 replaces 0 in one step.
        unsafe { libc::dup2(empty.as_raw_fd(), 0) };
    }
    // SAFETY: `pipe` is a new descriptor, owned by nobody else.
    unsafe { File::from_raw_fd(pipe) }
}

/// Has the kernel end this process when the supervisor ends, and ends it now if that has happened.
pub fn die_with(parent: u32) {
    // SAFETY: prctl with PR_SET_PDEATHSIG takes a signal number and touches no memory.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    if std::os::unix::process::parent_id() != parent {
        leave();
    }
}

/// What [`show`] tells of the supervisor's patience, in whole seconds.
pub fn remember_timeout(milliseconds: u64) {
    TIMEOUT.store(milliseconds.div_ceil(1000), Relaxed);
}

/// Binds the name by which a later supervisor finds this process while it lives. Where another probe has
/// taken the place since the supervisor looked, this one ends before it has touched anything. A kernel that
/// gives no such names (seccomp) is no fault: probes are not told apart then.
pub fn hold(name: &str) -> Option<UnixListener> {
    match SocketAddr::from_abstract_name(name).and_then(|address| UnixListener::bind_addr(&address)) {
        Ok(place) => Some(place),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => end(TAKEN),
        Err(_) => None,
    }
}

static TIMEOUT: AtomicU64 = AtomicU64::new(0);

/// Puts timeout, GPU and stage into the process's name (`cc60/3:context`), which /proc shows even
/// when the process is stuck. `supervise/lock.rs` reads it.
pub fn show(stage: Stage, gpu: Option<u32>) {
    let stage = serde_json::to_string(&stage).unwrap_or_default();
    let gpu = gpu.map(|gpu| gpu.to_string()).unwrap_or_default();
    let timeout = TIMEOUT.load(Relaxed);
    // The kernel keeps 15 bytes and cuts the rest.
    let name = format!("cc{timeout}/{gpu}:{}\0", stage.trim_matches('"'));
    // SAFETY: PR_SET_NAME reads a string that ends in NUL, and at most 16 bytes of it.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

pub fn libc_version() -> String {
    // SAFETY: glibc returns a static string.
    unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) }.to_string_lossy().into_owned()
}

/// Ends without destructors: those of a broken driver can hang or crash after all is said.
pub fn leave() -> ! {
    end(0)
}

fn end(status: i32) -> ! {
    // SAFETY: _exit ends the process and touches no memory.
    unsafe { libc::_exit(status) }
}
