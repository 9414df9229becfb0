//! Limits of the container: memory, shared memory, address space, open files.

use std::fs;

use serde::{Deserialize, Serialize};

use super::files::read;

/// Limits of the container. None if unlimited or unknown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// RLIMIT_AS, in bytes.
    pub address_space: Option<u64>,
    /// Size of /dev/shm in bytes.
    pub shared_memory: Option<u64>,
    /// Limit of the memory cgroup, in bytes.
    pub memory: Option<u64>,
    /// Memory that the cgroup uses, in bytes, without reclaimable page cache.
    pub memory_used: Option<u64>,
    /// No files can be opened (EMFILE, ENFILE), so what other facts miss may exist.
    #[serde(default)]
    pub no_files: bool,
    /// OOM kills in the cgroup: before the probes since it was created, afterwards while they ran.
    pub oom_kills: Option<u64>,
}

pub fn limits() -> Limits {
    let number = |path: &str| read(path).ok()?.trim().parse::<u64>().ok();
    // cgroup v2, then v1, where "no limit" is a very large number.
    let either = |v2: &str, v1: &str| number(v2).or_else(|| number(v1));
    let memory = either("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes");
    let used = either("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes");
    // The kernel reclaims inactive page cache before it runs out of memory.
    let stat = ["/sys/fs/cgroup/memory.stat", "/sys/fs/cgroup/memory/memory.stat"];
    let stat = stat.iter().find_map(|path| read(path).ok()).unwrap_or_default();
    let cached = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse().ok()).unwrap_or(0);
    Limits {
        address_space: rustix::process::getrlimit(rustix::process::Resource::As).current,
        shared_memory: rustix::fs::statvfs("/dev/shm").ok().map(|shm| shm.f_blocks * shm.f_frsize),
        memory: memory.filter(|limit| *limit < 1 << 60),
        memory_used: used.map(|used| used.saturating_sub(cached)),
        no_files: no_files(),
        oom_kills: oom_kills(),
    }
}

const ENFILE: i32 = 23;
const EMFILE: i32 = 24;

/// Files that are open at once while facts are gathered and a probe is started.
const FILES: u32 = 12;

fn no_files() -> bool {
    let mut open = Vec::new();
    (0..FILES).any(|_| match fs::File::open("/") {
        Ok(file) => {
            open.push(file);
            false
        }
        Err(error) => matches!(error.raw_os_error(), Some(EMFILE | ENFILE)),
    })
}

/// OOM kills since the cgroup was created.
fn oom_kills() -> Option<u64> {
    let events = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];
    let events = events.iter().find_map(|path| read(path).ok())?;
    events.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

impl Limits {
    /// Call after the probes: leaves the OOM kills that happened while they ran.
    pub fn count_oom_kills(&mut self) {
        let before = self.oom_kills;
        self.oom_kills = oom_kills().zip(before).map(|(now, before)| now.saturating_sub(before));
    }
}
