//! The container as it looks from inside: kernel driver, device nodes, environment, mounts, limits.
//!
//! Only files are read. Device nodes are looked at, never opened: that is the probe's part.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use rustix::fs::{major, minor};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    pub kernel: String,
    pub platform: Platform,
    /// The NVIDIA kernel module, as /proc/driver/nvidia tells of it.
    pub module: Option<Module>,
    pub nodes: Vec<Node>,
    /// Majors that the kernel gave to drivers whose name begins with nvidia.
    pub majors: BTreeMap<String, u32>,
    /// Variables that decide what the GPU libraries do; of others only that they exist matters.
    pub environment: BTreeMap<String, String>,
    /// Of these variables, those that process 1 has otherwise: what its start script exported does not reach
    /// health checks. Empty where process 1 cannot be looked at.
    pub differs_in_first: BTreeMap<String, String>,
    /// Places where something is mounted whose name speaks of NVIDIA.
    pub mounts: Vec<String>,
    /// libcuda and NVML where drivers are put, whether the loader looks there or not.
    pub driver_files: Vec<DriverFile>,
    pub process: Process,
    pub limits: Limits,
    /// A loader for programs that need glibc.
    pub glibc_loader: bool,
    /// A loader for programs that need musl.
    pub musl_loader: Option<String>,
    pub ld_cache: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriverFile {
    /// As it was found, by its soname.
    pub path: String,
    /// Behind all links.
    pub real: String,
    pub bytes: u64,
    /// Mounted by the container runtime, and so no part of the image.
    pub mounted: bool,
}

/// What the container may use. None where it is not limited, or not known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of RLIMIT_AS.
    pub address_space: Option<u64>,
    /// Size of /dev/shm in bytes.
    pub shared_memory: Option<u64>,
    /// Bytes of the memory cgroup.
    pub memory: Option<u64>,
    pub memory_used: Option<u64>,
    /// No file could be opened (EMFILE, ENFILE): what is missing elsewhere may be there.
    #[serde(default)]
    pub no_files: bool,
    /// Processes of the cgroup that the kernel ended for want of memory while this check ran.
    pub oom_kills: Option<u64>,
}

/// What kind of place this is, by marks that only it has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Platform {
    /// `docker`, `podman`, `kubernetes`, `other`, or nothing where it is no container.
    pub container: Option<String>,
    pub wsl: bool,
    pub jetson: bool,
    pub gvisor: bool,
    /// A RUN step of an image's build.
    pub build_step: bool,
    /// The directory of the MPS daemon's pipes is there.
    pub mps: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Module {
    pub version: Option<String>,
    pub open: bool,
    /// RmProfilingAdminOnly: hardware counters are for administrators.
    pub counters_admin_only: Option<bool>,
    /// uvm_disable_hmm of nvidia_uvm.
    pub hmm_disabled: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub path: String,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub major: u32,
    pub minor: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Process {
    pub pid: u32,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    /// Effective capabilities, as a mask.
    pub capabilities: u64,
    /// 0 none, 1 strict, 2 filter.
    pub seccomp: u32,
    /// The label of a security module, such as SELinux's.
    pub label: Option<String>,
    /// Ids here are not those of the host: rootless.
    pub user_namespace: bool,
}

/// Bit of CAP_SYS_ADMIN.
const SYS_ADMIN: u64 = 1 << 21;

impl Process {
    pub fn is_admin(&self) -> bool {
        self.capabilities & SYS_ADMIN != 0
    }
}

/// Variables that are recorded. Their values are paths, numbers and device names, never secrets.
const VARIABLES: [&str; 17] = [
    "CUDA_DEVICE_ORDER",
    "CUDA_DISABLE_PTX_JIT",
    "CUDA_FORCE_PTX_JIT",
    "CUDA_HOME",
    "CUDA_INJECTION64_PATH",
    "CUDA_MPS_PIPE_DIRECTORY",
    "CUDA_VERSION",
    "CUDA_VISIBLE_DEVICES",
    "KUBERNETES_SERVICE_HOST",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NVIDIA_DISABLE_REQUIRE",
    "NVIDIA_DRIVER_CAPABILITIES",
    "NVIDIA_REQUIRE_CUDA",
    "NVIDIA_TF32_OVERRIDE",
    "NVIDIA_VISIBLE_DEVICES",
    "NV_GPU",
];

pub fn gather() -> Host {
    let read = |path: &str| read(path).unwrap_or_default();
    let environment: BTreeMap<String, String> = VARIABLES
        .iter()
        .filter_map(|name| {
            std::env::var_os(name).map(|value| (name.to_string(), value.to_string_lossy().into_owned()))
        })
        // Where a cluster's API server listens is nobody's business here; that there is one matters.
        .map(
            |(name, value)| {
                if name == "KUBERNETES_SERVICE_HOST" { (name, "set".into()) } else { (name, value) }
            },
        )
        .collect();
    let platform = platform(&environment);
    let mounts = parse_mounts(&read("/proc/self/mountinfo"));
    let mut process = parse_status(&read("/proc/self/status"));
    process.label = Some(read("/proc/self/attr/current").trim_matches(['\0', '\n']).to_owned())
        .filter(|label| !label.is_empty() && label != "unconfined");
    process.user_namespace = is_mapped(&read("/proc/self/uid_map"));
    Host {
        differs_in_first: if platform.container.is_some() {
            differs_in_first(&environment)
        } else {
            BTreeMap::new()
        },
        driver_files: driver_files(&environment, &mounts),
        limits: limits(),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        platform,
        module: module(),
        nodes: nodes(),
        majors: parse_majors(&read("/proc/devices")),
        environment,
        mounts,
        process,
        glibc_loader: Path::new(crate::supervise::LOADER).exists(),
        musl_loader: musl_loader(),
        ld_cache: Path::new("/etc/ld.so.cache").exists(),
    }
}

/// Variables that decide which libraries and GPUs a program gets.
const DECISIVE: [&str; 3] = ["CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "LD_PRELOAD"];

/// Asked in containers alone: outside, process 1 is the machine's and nobody's model.
fn differs_in_first(environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let bytes = fs::read("/proc/1/environ").unwrap_or_default();
    let variables =
        bytes.split(|byte| *byte == 0).filter_map(|text| std::str::from_utf8(text).ok()?.split_once('='));
    let differs = |(name, value): &(&str, &str)| {
        DECISIVE.contains(name) && environment.get(*name).map(String::as_str) != Some(*value)
    };
    variables.filter(differs).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn platform(environment: &BTreeMap<String, String>) -> Platform {
    let exists = |path: &str| Path::new(path).exists();
    let version = read("/proc/version").unwrap_or_default();
    let container =
        if environment.contains_key("KUBERNETES_SERVICE_HOST") || exists("/var/run/secrets/kubernetes.io") {
            Some("kubernetes")
        } else if exists("/.dockerenv") {
            Some("docker")
        } else if exists("/run/.containerenv") {
            Some("podman")
        } else if std::process::id() == 1 {
            Some("other")
        } else {
            None
        };
    Platform {
        container: container.map(str::to_owned),
        wsl: exists("/dev/dxg") || version.contains("microsoft-standard-WSL"),
        jetson: exists("/dev/nvmap") || exists("/dev/nvhost-ctrl") || exists("/etc/nv_tegra_release"),
        gvisor: version.contains("gVisor"),
        build_step: rustix::system::uname().nodename().to_bytes() == b"buildkitsandbox",
        mps: exists(environment.get("CUDA_MPS_PIPE_DIRECTORY").map_or("/tmp/nvidia-mps", String::as_str)),
    }
}

/// Where drivers are put: by the distribution, the container toolkit, GKE, WSL, NixOS.
const DRIVER_PLACES: [&str; 10] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/lib64",
    "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib",
    "/usr/lib/wsl/lib",
    "/usr/lib/x86_64-linux-gnu/nvidia/current",
    "/run/opengl-driver/lib",
];

fn driver_files(environment: &BTreeMap<String, String>, mounts: &[String]) -> Vec<DriverFile> {
    let path = environment.get("LD_LIBRARY_PATH").map_or("", String::as_str);
    let named = path.split([':', ';']).filter(|place| place.starts_with('/'));
    let mut files: Vec<DriverFile> = Vec::new();
    for place in DRIVER_PLACES.into_iter().chain(named) {
        for name in ["libcuda.so.1", "libnvidia-ml.so.1"] {
            let path = format!("{}/{name}", place.trim_end_matches('/'));
            // Most are not there, which one call tells; a path made canonical takes one for each of its parts.
            let Ok(real) = fs::symlink_metadata(&path).and_then(|_| fs::canonicalize(&path)) else {
                continue;
            };
            let Ok(metadata) = fs::metadata(&real) else { continue };
            let real = real.to_string_lossy().into_owned();
            // One file may be seen in two places: /lib64 is often a link.
            if files.iter().any(|file| file.real == real) {
                continue;
            }
            let below = |mount: &String| real == *mount || real.starts_with(&format!("{mount}/"));
            files.push(DriverFile { mounted: mounts.iter().any(below), bytes: metadata.len(), path, real });
        }
    }
    if !files.iter().any(|file| file.path.ends_with("/libcuda.so.1")) {
        files.extend(unlinked(mounts));
    }
    files
}

/// A libcuda under its version alone: nobody has run ldconfig, which makes the link by its soname.
fn unlinked(mounts: &[String]) -> Option<DriverFile> {
    DRIVER_PLACES.iter().find_map(|place| {
        let mut names = fs::read_dir(place).ok()?.flatten().map(|entry| entry.file_name());
        let versioned = |name: &std::ffi::OsString| {
            let version = name.to_str().and_then(|name| name.strip_prefix("libcuda.so."));
            version.is_some_and(|version| version.contains('.'))
        };
        let path = Path::new(place).join(names.find(versioned)?);
        let bytes = fs::metadata(&path).ok()?.len();
        let path = path.to_string_lossy().into_owned();
        Some(DriverFile { mounted: mounts.contains(&path), bytes, real: path.clone(), path })
    })
}

fn limits() -> Limits {
    let number = |path: &str| read(path).ok()?.trim().parse::<u64>().ok();
    // The second of each is of cgroup v1, where "no limit" is a number beyond all memory.
    let either = |second: &str, first: &str| number(second).or_else(|| number(first));
    let memory = either("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes");
    let used = either("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes");
    // What files are cached in memory goes when it is wanted.
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

/// As many as are open at once while facts are gathered and a probe is started.
fn no_files() -> bool {
    let mut open = Vec::new();
    (0..12).any(|_| match fs::File::open("/") {
        Ok(file) => {
            open.push(file);
            false
        }
        Err(error) => matches!(error.raw_os_error(), Some(EMFILE | ENFILE)),
    })
}

const ENFILE: i32 = 23;
const EMFILE: i32 = 24;

/// All that were ended for want of memory since the cgroup was made.
fn oom_kills() -> Option<u64> {
    let events = ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];
    let events = events.iter().find_map(|path| read(path).ok())?;
    events.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

impl Host {
    /// After the probes: how many were ended while they ran.
    pub fn count_kills(&mut self) {
        let before = self.limits.oom_kills;
        self.limits.oom_kills = oom_kills().zip(before).map(|(now, before)| now.saturating_sub(before));
    }
}

/// Whether the ids of a user namespace are not those of the host.
fn is_mapped(uid_map: &str) -> bool {
    let fields: Vec<&str> = uid_map.split_whitespace().collect();
    !fields.is_empty() && fields != ["0", "0", "4294967295"]
}

fn module() -> Option<Module> {
    let text = read("/proc/driver/nvidia/version").ok()?;
    let parameters = read("/proc/driver/nvidia/params").unwrap_or_default();
    let hmm = read("/sys/module/nvidia_uvm/parameters/uvm_disable_hmm").ok();
    let hmm_disabled = hmm.map(|value| matches!(value.trim(), "Y" | "1"));
    Some(Module { hmm_disabled, ..parse_module(&text, &parameters) })
}

fn parse_module(version: &str, parameters: &str) -> Module {
    let line = version.lines().find(|line| line.starts_with("NVRM version:")).unwrap_or_default();
    let looks_like_version =
        |word: &&str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    let restricted = parameters.lines().find_map(|line| line.strip_prefix("RmProfilingAdminOnly:"));
    Module {
        version: line.split_whitespace().find(looks_like_version).map(str::to_owned),
        open: line.contains("Open Kernel Module"),
        counters_admin_only: restricted.map(|value| value.trim() == "1"),
        hmm_disabled: None,
    }
}

/// A file of /proc or /sys, whose size nobody knows: in one piece, where the standard library takes many.
fn read(path: &str) -> std::io::Result<String> {
    let mut text = Vec::with_capacity(4096);
    fs::File::open(path)?.take(1 << 20).read_to_end(&mut text)?;
    String::from_utf8(text).map_err(std::io::Error::other)
}

/// Nodes that the NVIDIA drivers make, of all their generations and platforms.
fn nodes() -> Vec<Node> {
    let mut nodes = Vec::new();
    for directory in ["/dev", "/dev/nvidia-caps", "/dev/nvidia-caps-imex-channels"] {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let known =
                name.starts_with("nvidia") || name.starts_with("channel") || name == "dxg" || name == "nvmap";
            if !known {
                continue;
            }
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            if !metadata.file_type().is_char_device() {
                continue;
            }
            nodes.push(Node {
                path: entry.path().to_string_lossy().into_owned(),
                mode: metadata.mode() & 0o777,
                uid: metadata.uid(),
                gid: metadata.gid(),
                major: major(metadata.rdev()),
                minor: minor(metadata.rdev()),
            });
        }
    }
    nodes.sort_by(|a, b| a.path.cmp(&b.path));
    nodes
}

/// Character devices of `/proc/devices`.
fn parse_majors(text: &str) -> BTreeMap<String, u32> {
    let characters = text.lines().skip(1).take_while(|line| !line.is_empty());
    let pairs = characters.filter_map(|line| {
        let (number, name) = line.trim().split_once(' ')?;
        Some((name.to_owned(), number.parse().ok()?))
    });
    pairs.filter(|(name, _)| name.starts_with("nvidia")).collect()
}

fn parse_mounts(text: &str) -> Vec<String> {
    let points = text.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    let ours = |path: &String| {
        let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
        path.contains("nvidia")
            || path.contains("/wsl/")
            || name.starts_with("libcuda")
            || name.starts_with("libnv")
            || path.contains("opengl-driver")
    };
    points.filter(ours).collect()
}

/// mountinfo writes space, tab, newline and backslash as octal.
fn unescape(text: &str) -> String {
    let codes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    codes.iter().fold(text.to_owned(), |text, (code, character)| text.replace(code, character))
}

fn parse_status(text: &str) -> Process {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim).unwrap_or_default()
    };
    // Real, effective, saved and file-system id; the effective one decides.
    let effective =
        |name| field(name).split_whitespace().nth(1).and_then(|id| id.parse().ok()).unwrap_or_default();
    Process {
        pid: std::process::id(),
        uid: effective("Uid"),
        gid: effective("Gid"),
        groups: field("Groups").split_whitespace().filter_map(|group| group.parse().ok()).collect(),
        capabilities: u64::from_str_radix(field("CapEff"), 16).unwrap_or_default(),
        seccomp: field("Seccomp").parse().unwrap_or_default(),
        ..Process::default()
    }
}

fn musl_loader() -> Option<String> {
    let entries = fs::read_dir("/lib").into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.find(|name| name.starts_with("ld-musl-")).map(|name| format!("/lib/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_module_tells_version_flavour_and_counters() {
        let closed = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  gcc 12.2.0\n";
        let module = parse_module(closed, "ResmanDebugLevel: 4294967295\nRmProfilingAdminOnly: 1\n");
        assert_eq!(
            module,
            Module {
                version: Some("535.104.05".into()),
                open: false,
                counters_admin_only: Some(true),
                hmm_disabled: None
            }
        );
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build\n";
        let module = parse_module(open, "");
        assert_eq!(
            module,
            Module {
                version: Some("570.124.06".into()),
                open: true,
                counters_admin_only: None,
                hmm_disabled: None
            }
        );
        assert_eq!(parse_module("", "").version, None);
    }

    #[test]
    fn majors_of_character_devices_alone() {
        let text = "Character devices:\n  1 mem\n195 nvidia\n195 nvidiactl\n511 nvidia-uvm\n\nBlock devices:\n 77 nvidia-block\n";
        let majors = parse_majors(text);
        assert_eq!(majors.get("nvidia-uvm"), Some(&511));
        assert_eq!(majors.len(), 3);
    }

    #[test]
    fn mount_points_are_unescaped_and_filtered() {
        let text = "22 1 0:21 / /proc rw - proc proc rw\n\
            99 1 0:5 /x /usr/lib/x86_64-linux-gnu/libcuda.so.535.104.05 ro - ext4 /dev/sda1 rw\n\
            98 1 0:5 /y /opt/my\\040nvidia ro - ext4 /dev/sda1 rw\n";
        assert_eq!(parse_mounts(text), ["/usr/lib/x86_64-linux-gnu/libcuda.so.535.104.05", "/opt/my nvidia"]);
    }

    #[test]
    fn status_fields() {
        let text = "Name:\tx\nUid:\t0\t65534\t0\t0\nGid:\t0\t7\t0\t0\nGroups:\t44 107 \nCapEff:\t0000000000200000\nSeccomp:\t2\n";
        let process = parse_status(text);
        assert_eq!(
            (process.uid, process.gid, process.groups.as_slice(), process.seccomp),
            (65534, 7, &[44, 107][..], 2)
        );
        assert!(process.is_admin() && !parse_status("").is_admin());
    }
}
