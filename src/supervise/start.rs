//! Starts the embedded program in whatever container this is.
//!
//! Three ways, tried in this order; the first one that works is used for later probes as well:
//! 1. execute a sealed memfd, which needs no disk;
//! 2. execute a file in the first directory that allows it, and remove it as soon as it runs;
//! 3. have the image's loader load the memfd by its /proc path, which works where memfds may not be executed
//!    (`vm.memfd_noexec`) and nothing is writable.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use rustix::fs::{MemfdFlags, SealFlags};

use crate::facts::host::GLIBC_LOADER;
use crate::facts::probe::{Refusal, Way};
use protocol::Job;

/// The probe as build.rs left it. Compressed it would take 0.4 MB less, and a millisecond more of each health check.
static PROBE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/probe"));

const NAME: &str = "cudacheck-probe";

pub struct Program {
    /// The probe in a memfd, if the kernel allows one.
    memory: Option<File>,
    /// The way that worked.
    way: Option<Way>,
    refusals: Vec<Refusal>,
}

pub struct Started {
    pub child: Child,
    pub events: io::PipeReader,
    /// Standard output and error.
    pub output: io::PipeReader,
    pub way: Way,
}

impl Program {
    /// Fails if no way can work because the image has no glibc loader.
    pub fn new() -> Result<Self, Vec<Refusal>> {
        if !Path::new(GLIBC_LOADER).exists() {
            let error = format!("{GLIBC_LOADER} does not exist");
            return Err(vec![Refusal { way: None, errno: None, error }]);
        }
        let mut refusals = Vec::new();
        let memory = memory_file(PROBE).map_err(|error| refusals.push(refusal(Way::Memory, &error))).ok();
        Ok(Program { memory, way: None, refusals })
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
            let (output, output_in) = io::pipe()?;
            let mut command = Command::new(program);
            command
                .arg0(NAME)
                .args(arguments)
                // The probe takes the pipe for events from its standard input.
                .stdin(OwnedFd::from(events_in))
                .stdout(output_in.try_clone()?)
                .stderr(output_in)
                // Do not write the smoke kernel to the application's JIT cache.
                .env("CUDA_CACHE_DISABLE", "1")
                .process_group(0);
            let raised = OomScore::raise();
            // Call from a thread that outlives the probe: PR_SET_PDEATHSIG is about the parent *thread*.
            let child = command.spawn()?;
            drop(raised);
            Ok(Started { child, events, output, way })
        };
        match way {
            Way::Memory => {
                start(&PathBuf::from(format!("/proc/self/fd/{}", memory()?.as_raw_fd())), &[argument])
            }
            Way::File => {
                let mut last = io::Error::other("no directory");
                for directory in directories() {
                    match temporary_file(&directory, PROBE).and_then(|path| {
                        let started = start(&path, &[argument]);
                        let _ = fs::remove_file(&path);
                        started
                    }) {
                        Ok(started) => return Ok(started),
                        // Unchanged, because a check needs its error number.
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            Way::Loader => {
                let file = format!("/proc/{}/fd/{}", std::process::id(), memory()?.as_raw_fd());
                // A missing file would otherwise be reported by the loader, after the start.
                fs::metadata(&file)?;
                start(Path::new(GLIBC_LOADER), &[&file, argument])
            }
        }
    }
}

/// A guard that raises this process's OOM score, which probes inherit: out of memory, the kernel kills the probe, and
/// the supervisor reports it. No privilege is needed to raise the score and to restore it.
struct OomScore(Option<Vec<u8>>);

const OOM_SCORE: &str = "/proc/self/oom_score_adj";

impl OomScore {
    fn raise() -> Self {
        let before = fs::read(OOM_SCORE).ok();
        OomScore(before.filter(|_| fs::write(OOM_SCORE, "1000").is_ok()))
    }
}

impl Drop for OomScore {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = fs::write(OOM_SCORE, before);
        }
    }
}

fn refusal(way: Way, error: &io::Error) -> Refusal {
    Refusal { way: Some(way), errno: error.raw_os_error(), error: error.to_string() }
}

/// The probe in a sealed memfd.
fn memory_file(bytes: &[u8]) -> io::Result<File> {
    let wanted = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let create = |flags| rustix::fs::memfd_create(NAME, flags);
    // Kernels before 6.3 know neither flag. With vm.memfd_noexec, the loader can still map a memfd that cannot be
    // executed.
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
    // Left behind by a killed process with the same ID.
    let _ = fs::remove_file(&path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o700).open(&path)?;
    file.write_all(bytes).inspect_err(|_| drop(fs::remove_file(&path)))?;
    Ok(path)
}
