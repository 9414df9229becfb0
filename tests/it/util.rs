//! Roots to run the binary in, the fake libraries, and reports validated against the schema.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_cudacheck");
pub const PROBE: &str = concat!(env!("OUT_DIR"), "/probe");
pub const SOURCE: &str = env!("CARGO_MANIFEST_DIR");

/// The fake libraries: file name in a root, source file, libraries to link.
const FAKES: [(&str, &str, &[&str]); 6] = [
    ("libcuda.so.1", "cuda.rs", &[]),
    ("libnvidia-ml.so.1", "nvml.rs", &[]),
    ("libcublasLt.so.12", "cublaslt.rs", &[]),
    ("libcublas.so.12", "cublas.rs", &["libcublasLt.so.12"]),
    ("libcudart.so.12", "cudart.rs", &[]),
    ("libcupti.so.12", "cupti.rs", &[]),
];

/// Directory of the fake libraries, rebuilt when a source file is newer.
pub fn fakes() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let sources = Path::new(SOURCE).join("tests/fakes");
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fakes");
        fs::create_dir_all(&out).unwrap();
        let newest = newest(&sources);
        for (name, source, needs) in FAKES {
            let library = out.join(name);
            if fs::metadata(&library).and_then(|m| m.modified()).is_ok_and(|built| built > newest) {
                continue;
            }
            // Another test run may have the old file mapped, so the new one is renamed over it.
            let fresh = out.join(format!(".{name}.{}", std::process::id()));
            let mut linker = format!("-Wl,-soname,{name} -Wl,-rpath,$ORIGIN -Wl,--no-as-needed");
            for need in needs {
                linker += &format!(" {}", out.join(need).display());
            }
            let status = Command::new("rustc")
                .args([
                    "--edition=2024",
                    "--crate-type=cdylib",
                    "-Copt-level=3",
                    "-Cpanic=abort",
                    "-Cstrip=debuginfo",
                ])
                .arg(format!("-Clink-args={linker}"))
                .arg("-o")
                .arg(&fresh)
                .arg(sources.join(source))
                .status()
                .unwrap();
            assert!(status.success(), "{source} builds");
            fs::rename(&fresh, &library).unwrap();
        }
        out
    })
}

fn newest(directory: &Path) -> std::time::SystemTime {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let times = entries.map(|entry| {
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() { newest(&entry.path()) } else { metadata.modified().unwrap() }
    });
    times.max().unwrap_or(std::time::UNIX_EPOCH)
}

/// A root directory with the binary at `/cudacheck`; tests add the rest.
pub struct Root {
    directory: TempDir,
    pub environment: Vec<(String, String)>,
    /// A tree under this root, mounted as the lower layer of an overlay.
    below: Option<PathBuf>,
    /// Shell commands to run in the mount namespace before chroot; `$R` is the root.
    pub prepare: String,
    /// uid:gid to run the binary as; more options of chroot may follow.
    pub user: Option<String>,
    /// Run the binary as PID 1 of a PID namespace.
    pub first_process: bool,
}

impl Root {
    /// Only the binary.
    pub fn empty() -> Root {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let root = Root {
            directory,
            below: None,
            environment: Vec::new(),
            prepare: String::new(),
            user: None,
            first_process: true,
        };
        fs::copy(BINARY, root.path("cudacheck")).unwrap();
        for directory in ["proc", "dev", "tmp"] {
            fs::create_dir(root.path(directory)).unwrap();
        }
        fs::set_permissions(root.path("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        root
    }

    /// With glibc and its loader, as the probe needs them.
    pub fn glibc() -> Root {
        let root = Root::empty();
        let output = Command::new("ldd").arg(PROBE).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let files: BTreeSet<&str> = text
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
            .chain(text.contains("libgcc_s").then_some("/lib/x86_64-linux-gnu/libm.so.6"))
            .collect();
        for file in files {
            root.copy(Path::new(file), file);
        }
        // The fakes are Rust libraries, which need these on every machine.
        for name in ["libgcc_s.so.1", "libc.so.6", "libm.so.6"] {
            let file = format!("/lib/x86_64-linux-gnu/{name}");
            if Path::new(&file).exists() {
                root.copy(Path::new(&file), &file);
            }
        }
        root
    }

    /// A fake machine that follows the script.
    pub fn machine(script: &str) -> Root {
        let mut root = Root::glibc();
        for (name, ..) in FAKES {
            root.copy(&fakes().join(name), &format!("/usr/lib/{name}"));
        }
        root.script(script);
        root.give_module();
        // Any character device that opens can stand in for a device node of the driver.
        for node in ["nvidiactl", "nvidia-uvm", "nvidia0"] {
            root.write(&format!("/dev/{node}"), b"");
            root.prepare += &format!("mount -n --bind /dev/null $R/dev/{node}\n");
        }
        root
    }

    /// A real tree with the binary, a kernel module and a fake driver in `/fake` over it. The application would
    /// load the tree's own CUDA libraries.
    pub fn over(tree: &Path) -> Root {
        let mut root = Root::empty();
        for name in ["libcuda.so.1", "libnvidia-ml.so.1"] {
            root.copy(&fakes().join(name), &format!("/fake/{name}"));
        }
        root.script("sms = 2");
        root.give_module();
        root.set("LD_LIBRARY_PATH", "/fake");
        root.below = Some(tree.to_owned());
        root
    }

    /// The /proc entries of a loaded kernel module.
    pub fn give_module(&mut self) {
        let version =
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n";
        self.write("/fake/driver/nvidia/version", version.as_bytes());
        self.write("/fake/driver/nvidia/params", b"RmProfilingAdminOnly: 1\n");
        self.prepare += "mount -n --bind $R/fake/driver $R/proc/driver\n";
    }

    pub fn script(&self, script: &str) {
        self.write("/etc/fake-gpu", script.as_bytes());
    }

    pub fn path(&self, inside: &str) -> PathBuf {
        self.directory.path().join(inside.trim_start_matches('/'))
    }

    pub fn copy(&self, from: &Path, to: &str) {
        let to = self.path(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        if !to.exists() {
            fs::copy(from, &to).unwrap();
        }
    }

    pub fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn set(&mut self, name: &str, value: &str) -> &mut Root {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs the binary in this root, in its own namespaces.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        if !is_root() {
            command.arg("--map-root-user");
        }
        command.args(["--mount", "--uts"]);
        let proc = if self.first_process {
            command.args(["--pid", "--fork", "--kill-child"]);
            "mount -n -t proc proc $R/proc"
        } else {
            "mount -n --rbind /proc $R/proc"
        };
        let user = self.user.as_ref().map_or(String::new(), |user| format!("--userspec={user}"));
        let below = self.below.as_ref().map_or(String::new(), |tree| {
            // On a tmpfs: an overlay cannot use another overlay as its upper layer.
            format!(
                "mkdir $R/.m; mount -n -t tmpfs tmpfs $R/.m; mkdir $R/.m/u $R/.m/w; \
                 mount -n -t overlay overlay -o lowerdir=$R:{},upperdir=$R/.m/u,workdir=$R/.m/w $R",
                tree.display()
            )
        });
        let script = format!("{below}\n{proc}\n{}\nexec chroot {user} $R /cudacheck \"$@\"", self.prepare);
        command.args(["sh", "-ec", &script, "sh"]).args(arguments);
        command.env_clear().env("R", self.directory.path()).env("PATH", std::env::var_os("PATH").unwrap());
        command.envs(self.environment.iter().cloned()).stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// JSON report and exit status of the main command.
    pub fn report(&self, arguments: &[&str]) -> (Value, i32) {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--format", "json"]).collect();
        let output = self.run(&arguments);
        (report(&output), output.status.code().unwrap_or(-1))
    }
}

/// Runs a program on the host's root, in its own mount namespace like a container: probes in one namespace wait for
/// each other. /dev has no NVIDIA device nodes, which real driver libraries leave behind.
pub fn alone(program: &str) -> Command {
    const DEV: &str = "d=$(mktemp -d); mount -n -t tmpfs tmpfs $d; mkdir $d/shm\n\
        for node in null zero full random urandom; do : >$d/$node; mount -n --bind /dev/$node $d/$node; done\n\
        ln -s /proc/self/fd $d/fd; mount -n --move $d /dev; rmdir $d; exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    if !is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "sh", "-ec", DEV, program]);
    command
}

/// For `Root::prepare`: remounts the root read-only. Mounts inside it are kept.
pub const READ_ONLY: &str = "mount -n --rbind $R $R; mount -n -o remount,bind,ro $R\n";

pub fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").unwrap().lines().any(|line| line.starts_with("Uid:\t0\t0"))
}

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let text = fs::read_to_string(Path::new(SOURCE).join("docs/schema.json")).unwrap();
    jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
});

/// The report on standard output, validated against the published schema.
pub fn report(output: &Output) -> Value {
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", text(&output.stdout), text(&output.stderr)));
    let faults: Vec<String> =
        SCHEMA.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(faults.is_empty(), "the report does not match docs/schema.json: {faults:?}");
    report
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Ids of the findings, in report order.
pub fn ids(report: &Value) -> Vec<&str> {
    report["findings"].as_array().unwrap().iter().map(|finding| finding["id"].as_str().unwrap()).collect()
}

pub fn finding<'a>(report: &'a Value, id: &str) -> &'a Value {
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .find(|finding| finding["id"] == id)
        .unwrap_or_else(|| panic!("no {id} in {:?}", ids(report)))
}

/// Text of a finding's evidence, one line each.
pub fn evidence(finding: &Value) -> String {
    let lines = finding["evidence"].as_array().unwrap().iter();
    lines.map(|line| line["text"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Files that a finding's evidence is about.
pub fn evidence_paths(finding: &Value) -> Vec<&str> {
    let lines = finding["evidence"].as_array().unwrap().iter();
    lines.filter_map(|line| line["path"].as_str()).collect()
}

/// `owner` and `fix` of a finding.
pub fn action(finding: &Value) -> (&str, &str) {
    (finding["owner"].as_str().unwrap(), finding["fix"].as_str().unwrap())
}

/// A stage of the report, by name and by the ordinal of its GPU.
pub fn stage<'a>(report: &'a Value, name: &str, ordinal: Option<u32>) -> &'a Value {
    let stages = report["stages"].as_array().unwrap();
    stages
        .iter()
        .find(|stage| {
            stage["name"] == name && ordinal.is_none_or(|ordinal| stage["gpu"]["ordinal"] == ordinal)
        })
        .unwrap_or_else(|| panic!("no stage {name} of {ordinal:?} in {stages:?}"))
}

/// A tar archive of files: path and content.
pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Runs a closure and measures how long it took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let value = work();
    (value, start.elapsed())
}

/// Prints that something is not tested. Not with `eprintln`, which the test harness captures when a test passes.
pub fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// A part that `tests/real/parts.sh` fetches. If it is missing, the test is skipped; with CUDACHECK_REAL it fails.
pub fn part(name: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("CUDACHECK_PARTS")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cache/cudacheck"));
    let part = cache.join(name);
    if part.exists() {
        return Some(part);
    }
    let fetch = match name.split_once('/') {
        Some(("driver", version)) => format!("driver{version}"),
        Some((family, _)) => family.to_owned(),
        None => name.to_owned(),
    };
    let how = format!("the part {name} is missing; fetch it with tests/real/parts.sh {fetch}");
    assert!(std::env::var_os("CUDACHECK_REAL").is_none(), "{how}");
    skip(&how);
    None
}

/// Text for snapshots: without measured times, and without lines that depend on timing or on the size of a compiled
/// fake.
pub fn without_times(text: &str) -> String {
    let steady = |line: &&str| !line.starts_with("  time: ") && !line.contains("/usr/lib/lib");
    let text: String = text.split_inclusive('\n').filter(steady).collect();
    let words: Vec<&str> = text.split_inclusive([' ', '\n']).collect();
    let mut out = String::new();
    for (place, word) in words.iter().enumerate() {
        let bare = word.trim_end();
        let measured = bare.parse::<f64>().is_ok() && bare.contains('.');
        let counted =
            bare.parse::<u64>().is_ok() && words.get(place + 1).is_some_and(|next| next.trim() == "entries");
        if measured || counted {
            out += &word.replace(bare, "N");
        } else {
            out += word;
        }
    }
    out
}
