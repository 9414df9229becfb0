//! The probe's process: standard streams, parent, lock, name and exit.

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use protocol::{LOCK_TAKEN, Stage};

/// Takes the event pipe from standard input and puts an empty stream in its place, so that no library
/// uses the pipe by accident. Closes all other inherited descriptors: a stuck probe must not keep open a
/// pipe that the supervisor's caller waits on.
pub fn claim_standard_streams() -> File {
    // SAFETY: this process has opened nothing beyond the standard streams yet. By number, because glibc has
    // close_range only since 2.34; kernels before 5.9 return an error.
    if unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) } != 0 {
        for descriptor in 3..256 {
            // SAFETY: as above; closing a descriptor that is not open only returns an error.
            unsafe { libc::close(descriptor) };
        }
    }
    // SAFETY: F_DUPFD_CLOEXEC returns a new descriptor or an error.
    let pipe = unsafe { libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 10) };
    if pipe < 0 {
        exit();
    }
    let empty = File::open("/dev/null").map(OwnedFd::from).ok().or_else(|| {
        // Without /dev/null: the read end of a pipe without a writer.
        let mut ends = [0; 2];
        // SAFETY: `ends` has room for the two descriptors that pipe2 writes.
        if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
            return None;
        }
        // SAFETY: both descriptors are new and have no other owner.
        let [read, _write] = unsafe { ends.map(|end| OwnedFd::from_raw_fd(end)) };
        Some(read)
    });
    if let Some(empty) = empty {
        // SAFETY: both descriptors are open.
        unsafe { libc::dup2(empty.as_raw_fd(), 0) };
    }
    // SAFETY: `pipe` is a new descriptor and has no other owner.
    unsafe { File::from_raw_fd(pipe) }
}

/// Makes the kernel kill this process when the supervisor ends; exits if it has ended already.
pub fn die_with(parent: u32) {
    // SAFETY: PR_SET_PDEATHSIG takes a signal number and no pointers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    if std::os::unix::process::parent_id() != parent {
        exit();
    }
}

/// Binds the abstract socket that marks the target of this probe as taken. Exits if another probe has
/// bound it since the supervisor looked. Where sockets are not allowed (seccomp), there is no lock.
pub fn lock(name: &str) -> Option<UnixListener> {
    match SocketAddr::from_abstract_name(name).and_then(|address| UnixListener::bind_addr(&address)) {
        Ok(socket) => Some(socket),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => exit_with(LOCK_TAKEN),
        Err(_) => None,
    }
}

/// The supervisor's timeout in seconds, for [`show`].
static TIMEOUT: AtomicU64 = AtomicU64::new(0);

pub fn set_timeout(milliseconds: u64) {
    TIMEOUT.store(milliseconds.div_ceil(1000), Relaxed);
}

/// Puts timeout, GPU and stage into the process's name, such as `cc60/3:context`. Another supervisor reads
/// it from /proc (`supervise/lock.rs`), which works even when the process is stuck in a system call.
pub fn show(stage: Stage, gpu: Option<u32>) {
    let stage = serde_json::to_string(&stage).unwrap_or_default();
    let gpu = gpu.map(|gpu| gpu.to_string()).unwrap_or_default();
    let timeout = TIMEOUT.load(Relaxed);
    // The kernel truncates it to 15 bytes.
    let name = format!("cc{timeout}/{gpu}:{}\0", stage.trim_matches('"'));
    // SAFETY: `name` ends in NUL.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

pub fn libc_version() -> String {
    // SAFETY: glibc returns a static string.
    unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) }.to_string_lossy().into_owned()
}

/// Exits without running destructors: those of a broken driver can hang or crash.
pub fn exit() -> ! {
    exit_with(0)
}

fn exit_with(status: i32) -> ! {
    // SAFETY: _exit takes a number and does not return.
    unsafe { libc::_exit(status) }
}
