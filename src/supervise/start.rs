//! Turns the embedded program into a process, in whatever root this is.
//!
//! Three ways, tried in this order, each remembered when it works:
//! 1. execute a sealed memory file: needs no disk;
//! 2. execute a file in the first directory that allows it, removed as soon as it runs;
//! 3. have the image's own loader load the memory file by its /proc path, which works where memory
//!    files may not be executed (`vm.memfd_noexec`) and nothing is writable.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use rustix::fs::{MemfdFlags, SealFlags};

use crate::facts::probe::{Refusal, Way};
use protocol::Job;

/// The probe, as build.rs left it: a frame of zstd.
static COMPRESSED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/probe.zst"));

const NAME: &str = "cudacheck-probe";

/// Where a glibc image has its loader: what the probe asks for as its interpreter.
pub const LOADER: &str =
    if cfg!(target_arch = "aarch64") { "/lib/ld-linux-aarch64.so.1" } else { "/lib64/ld-linux-x86-64.so.2" };

pub struct Program {
    bytes: Vec<u8>,
    /// The probe in memory, if the kernel gives memory files at all.
    memory: Option<File>,
    way: Option<Way>,
    refusals: Vec<Refusal>,
}

pub struct Started {
    pub child: Child,
    pub events: io::PipeReader,
    pub noise: io::PipeReader,
    pub way: Way,
}

impl Program {
    /// Fails only where no way can work: the image has no glibc loader.
    pub fn new() -> Result<Self, Vec<Refusal>> {
        if !Path::new(LOADER).exists() {
            return Err(vec![Refusal { way: None, errno: None, error: format!("{LOADER} does not exist") }]);
        }
        let mut refusals = Vec::new();
        let size = env!("CUDACHECK_PROBE_BYTES").parse().expect("build.rs counted them");
        let bytes = zstd::bulk::decompress(COMPRESSED, size).expect("build.rs compressed it");
        let memory = memory_file(&bytes).map_err(|error| refusals.push(refusal(Way::Memory, &error))).ok();
        Ok(Program { bytes, memory, way: None, refusals })
    }

    pub fn spawn(&mut self, job: &Job) -> Result<Started, Vec<Refusal>> {
        let argument = serde_json::to_string(job).expect("a job is plain data");
        let ways = match self.way {
            Some(way) => vec![way],
            None => vec![Way::Memory, Way::File, Way::Loader],
        };
        for way in ways {
            match self.spawn_by(way, &argument) {
                Ok(started) => {
                    self.way = Some(way);
                    return Ok(started);
                }
                Err(error) => self.refusals.push(refusal(way, &error)),
            }
        }
        Err(self.refusals.clone())
    }

    fn spawn_by(&self, way: Way, argument: &str) -> io::Result<Started> {
        let memory = || self.memory.as_ref().ok_or_else(|| io::Error::other("no memory file"));
        let start = |program: &Path, arguments: &[&str]| {
            let (events, events_in) = io::pipe()?;
            let (noise, noise_in) = io::pipe()?;
            let mut command = Command::new(program);
            command
                .arg0(NAME)
                .args(arguments)
                // The pipe for events takes the place of an input that no probe needs.
                .stdin(OwnedFd::from(events_in))
                .stdout(noise_in.try_clone()?)
                .stderr(noise_in)
                // Kernels compiled for this check have no place in the application's cache.
                .env("CUDA_CACHE_DISABLE", "1")
                .process_group(0);
            // From a thread that outlives the probe: the kernel ends the probe with the *thread* that started it.
            let expendable = Expendable::new();
            let child = command.spawn()?;
            drop(expendable);
            Ok(Started { child, events, noise, way })
        };
        match way {
            Way::Memory => {
                start(&PathBuf::from(format!("/proc/self/fd/{}", memory()?.as_raw_fd())), &[argument])
            }
            Way::File => {
                let mut last = io::Error::other("no directory");
                for directory in directories() {
                    match temporary_file(&directory, &self.bytes).and_then(|path| {
                        let started = start(&path, &[argument]);
                        let _ = fs::remove_file(&path);
                        started
                    }) {
                        Ok(started) => return Ok(started),
                        // The number alone: words would hide it from the check.
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            Way::Loader => {
                let file = format!("/proc/{}/fd/{}", std::process::id(), memory()?.as_raw_fd());
                // The loader's own complaint would come after it has been started.
                fs::metadata(&file)?;
                start(Path::new(LOADER), &[&file, argument])
            }
        }
    }
}

/// While this lives, what is started is the first that the kernel ends for want of memory: the probe, and not the
/// supervisor, which is there to tell of it. Anybody may raise this number, and bring it back to what it was.
struct Expendable(Option<Vec<u8>>);

const BADNESS: &str = "/proc/self/oom_score_adj";

impl Expendable {
    fn new() -> Self {
        let before = fs::read(BADNESS).ok();
        Expendable(before.filter(|_| fs::write(BADNESS, "1000").is_ok()))
    }
}

impl Drop for Expendable {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = fs::write(BADNESS, before);
        }
    }
}

fn refusal(way: Way, error: &io::Error) -> Refusal {
    Refusal { way: Some(way), errno: error.raw_os_error(), error: error.to_string() }
}

/// The probe in a memory file that nobody can change any more.
fn memory_file(bytes: &[u8]) -> io::Result<File> {
    let wanted = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let create = |flags| rustix::fs::memfd_create(NAME, flags);
    // Kernels before 6.3 know neither flag; a kernel that forbids executable memory files still
    // gives one that the loader can map.
    let memory = create(wanted | MemfdFlags::EXEC)
        .or_else(|_| create(wanted | MemfdFlags::NOEXEC_SEAL))
        .or_else(|_| create(wanted))?;
    let mut file = File::from(memory);
    file.write_all(bytes)?;
    rustix::fs::fcntl_add_seals(
        &file,
        SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL,
    )?;
    Ok(file)
}

fn directories() -> Vec<PathBuf> {
    let named = std::env::var_os("TMPDIR").map(PathBuf::from).filter(|path| path.is_absolute());
    named.into_iter().chain(["/dev/shm", "/tmp", "/run", "/var/tmp"].map(PathBuf::from)).collect()
}

fn temporary_file(directory: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let path = directory.join(format!(".{NAME}.{}", std::process::id()));
    // A file of that name is from a process of the same number that was killed.
    let _ = fs::remove_file(&path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path)?;
    file.write_all(bytes).inspect_err(|_| drop(fs::remove_file(&path)))?;
    Ok(path)
}
