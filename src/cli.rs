//! Every flag once. The documentation comments are what `--help` prints.
//!
//! Here values are parsed and refused, nothing is done with them.

pub mod target_machine;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::facts::Accepted;
use crate::facts::target_machine::TargetMachine;
use crate::model::Level;
use crate::report::Purpose;
use target_machine::On;

/// Version, and the oldest glibc that the embedded probe runs on.
const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (the probe needs ", env!("CUDACHECK_GLIBC_FLOOR"), " or newer)");

/// Proves that the GPU of this container works, says why when it does not, and tells which CUDA
/// libraries of the image are present, missing or redundant.
///
/// Exit status: 0 verified; 1 a finding at or above --fail-on; 2 wrong use or a fault of the tool
/// itself; 3 undecided. `cudacheck health` ends with 0 or 1 only.
#[derive(Debug, Parser)]
#[command(name = "cudacheck", version = VERSION, max_term_width = 100, args_override_self = true, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub verify: Verify,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// One line for Docker HEALTHCHECK and exec probes: exit status 0 or 1, verdict and remedy first
    Health(Health),
    /// Answer probes and scrapers over HTTP: /livez, /readyz, /startupz, /metrics, /report
    Serve(Serve),
    /// Audit an image: which CUDA libraries are present, missing or redundant, and what can go
    Image(Box<Image>),
    /// Say what a finding, or a number that a library returned, means and how to cure it
    Explain {
        /// Id of a finding, such as launch.not-requested; or a number or its name, such as 803, nvml:999 or
        /// CUDA_ERROR_SYSTEM_NOT_READY. All findings are listed without it
        #[arg(value_name = "ID|CODE", allow_hyphen_values = true)]
        what: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct Verify {
    /// How deep to look
    #[arg(long, value_enum, default_value_t = Level::Gemm, env = "CUDACHECK_LEVEL")]
    pub level: Level,
    /// GPUs to verify, by index or UUID, separated by commas; all that CUDA sees by default
    #[arg(long, value_delimiter = ',', value_parser = gpu, value_name = "GPU", env = "CUDACHECK_GPUS")]
    pub gpus: Vec<Gpu>,
    /// Fail unless at least so many GPUs are verified
    #[arg(long, value_name = "N", allow_negative_numbers = true, env = "CUDACHECK_REQUIRE_GPUS")]
    pub require_gpus: Option<u32>,
    /// Deadline for everything, such as 90s or 500ms
    #[arg(long, value_parser = duration, default_value = "60s", value_name = "TIME", env = "CUDACHECK_TIMEOUT")]
    pub timeout: Duration,
    #[command(flatten)]
    pub saved: Saved,
    #[command(flatten)]
    pub output: Output,
    /// Write metrics to a file as well, for the textfile collector of node_exporter
    #[arg(long, value_name = "FILE", conflicts_with = "from_facts")]
    pub textfile: Option<PathBuf>,
    /// File with the values of these flags: level, gpus, require-gpus, timeout, format, fail-on
    #[arg(long, value_name = "FILE", env = "CUDACHECK_CONFIG")]
    pub config: Option<PathBuf>,
    /// Findings that the configuration accepts
    #[arg(skip)]
    pub accepted: Vec<Accepted>,
}

#[derive(Debug, Args)]
pub struct Health {
    #[command(flatten)]
    pub watch: Watch,
    /// What the answer is for, which decides what fails it; docs/probes.md has the table. Readiness by default
    #[arg(long = "for", value_enum, value_name = "PROBE", env = "CUDACHECK_FOR")]
    pub purpose: Option<Purpose>,
    /// Write what was seen to a file for `cudacheck --from-facts`
    #[arg(long, value_name = "FILE")]
    pub save_facts: Option<PathBuf>,
}

/// What is looked at again and again.
#[derive(Clone, Debug, Args)]
pub struct Watch {
    /// How deep to look; nvml and driver create no context and take no GPU memory
    #[arg(long, value_enum, default_value_t = Level::Nvml, env = "CUDACHECK_HEALTH_LEVEL")]
    pub level: Level,
    /// GPUs to look at, by number, GPU-UUID or MIG-UUID, separated by commas; all that CUDA sees by default
    #[arg(long, value_delimiter = ',', value_parser = gpu, value_name = "GPU", env = "CUDACHECK_GPUS")]
    pub gpus: Vec<Gpu>,
    /// Fail unless at least so many GPUs are verified
    #[arg(long, value_name = "N", allow_negative_numbers = true, env = "CUDACHECK_REQUIRE_GPUS")]
    pub require_gpus: Option<u32>,
    /// Deadline for everything, such as 5s or 800ms
    #[arg(long, value_parser = duration, default_value = "10s", value_name = "TIME", env = "CUDACHECK_HEALTH_TIMEOUT")]
    pub timeout: Duration,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Where to listen: an address and a port, such as 0.0.0.0:9476 or [::]:9476. Whoever reaches it may ask:
    /// there is neither encryption nor a password
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address, default_value = "127.0.0.1:9476", env = "CUDACHECK_LISTEN")]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub watch: Watch,
    /// Level of the first check, which is repeated until it has passed; --level by default
    #[arg(long, value_enum, env = "CUDACHECK_STARTUP_LEVEL")]
    pub startup_level: Option<Level>,
    /// Deadline of a check at that level
    #[arg(long, value_parser = duration, default_value = "60s", value_name = "TIME", env = "CUDACHECK_STARTUP_TIMEOUT")]
    pub startup_timeout: Duration,
    /// Pause from the end of one check to the beginning of the next
    #[arg(long, value_parser = interval, default_value = "30s", value_name = "TIME", env = "CUDACHECK_INTERVAL")]
    pub interval: Duration,
    /// How old a result may be before it is called stale; three times --interval and --timeout by default
    #[arg(long, value_parser = interval, value_name = "TIME", env = "CUDACHECK_MAX_AGE")]
    pub max_age: Option<Duration>,
    /// Write the metrics to a file after each check, for the textfile collector of node_exporter
    #[arg(long, value_name = "FILE")]
    pub textfile: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Image {
    /// Root directory, docker-save or OCI archive, OCI layout directory, or - for an archive on standard
    /// input
    #[arg(default_value = "/", value_name = "WHAT", conflicts_with = "from_facts")]
    pub what: PathBuf,
    /// How much to read: census leaves out Python sources, strings and device code
    #[arg(long, value_enum, default_value_t = Depth::Full)]
    pub level: Depth,
    /// Environment of the image's programs, such as LD_LIBRARY_PATH=/opt/lib; instead of what the image
    /// says or, for the running root, of this process
    #[arg(long = "env", value_parser = variable, value_name = "NAME=VALUE")]
    pub environment: Vec<(String, String)>,
    /// Which of several images in an archive, by name and tag
    #[arg(long, value_name = "REF", conflicts_with = "from_facts")]
    pub image: Option<String>,
    /// GPU architectures that the image is for, such as sm_90, separated by commas; those that are present
    /// by default
    #[arg(long, value_delimiter = ',', value_parser = architecture, value_name = "SM")]
    pub arch: Vec<u32>,
    /// Say whether the image will work on this machine, without a GPU: a GPU by name or architecture and the
    /// driver, such as gpu=H100,driver=535.104.05 (or cuda=12.2 in its place; and open-module=yes|no,
    /// datacenter=yes|no); or a node of the configuration, or all of them; may be repeated
    #[arg(long, value_parser = target_machine::on, value_name = "MACHINE")]
    pub on: Vec<On>,
    /// Fail if redundant copies take more, such as 200MB
    #[arg(long, value_parser = bytes, value_name = "SIZE")]
    pub max_redundant: Option<u64>,
    /// File with the values of these flags: level, env, arch, on, max-redundant, format, fail-on; findings
    /// that are accepted; and nodes, such as {"a100": {"gpu": "A100", "driver": "535.104.05"}}
    #[arg(long, value_name = "FILE", env = "CUDACHECK_CONFIG")]
    pub config: Option<PathBuf>,
    /// Findings that the configuration accepts
    #[arg(skip)]
    pub accepted: Vec<Accepted>,
    /// The machines that --on means
    #[arg(skip)]
    pub machines: Vec<TargetMachine>,
    /// Print what the image's loader loads for this program or library, or for all of them, and stop
    #[arg(long, value_name = "FILE|all", conflicts_with_all = ["save_facts", "from_facts"])]
    pub ldd: Option<String>,
    /// Print the files and links of the image as its containers see them, and stop
    #[arg(long, conflicts_with_all = ["save_facts", "from_facts"])]
    pub list: bool,
    #[command(flatten)]
    pub saved: Saved,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Saved {
    /// Write what was seen to a file for --from-facts, without names of users and hosts, addresses, secrets,
    /// UUIDs and registries; paths, packages and GPUs stay: read it before you post it
    #[arg(long, value_name = "FILE", conflicts_with = "from_facts")]
    pub save_facts: Option<PathBuf>,
    /// Judge what --save-facts wrote, here or elsewhere; runs nothing and looks at nothing else. Of the other
    /// flags only those count that judge or print
    #[arg(long, value_name = "FILE")]
    pub from_facts: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Depth {
    /// Which libraries there are and what is linked to them
    Census,
    /// Names passed to dlopen and ctypes, device code, leftovers and secrets as well
    Full,
}

#[derive(Debug, Args)]
pub struct Output {
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Human, env = "CUDACHECK_FORMAT")]
    pub format: Format,
    /// Least severity that makes the exit status 1
    #[arg(long, value_enum, default_value_t = FailOn::Error, value_name = "SEVERITY", env = "CUDACHECK_FAIL_ON")]
    pub fail_on: FailOn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A report to read
    Human,
    /// The whole report for machines; docs/schema.json describes it
    Json,
    /// Findings alone, in the form that code-scanning services read (SARIF 2.1.0)
    Sarif,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    Error,
    Warning,
    Note,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gpu {
    Index(u32),
    Uuid(String),
}

fn gpu(text: &str) -> Result<Gpu, String> {
    if let Ok(index) = text.parse() {
        return Ok(Gpu::Index(index));
    }
    let uuid = text.strip_prefix("GPU-").or(text.strip_prefix("MIG-"));
    match uuid {
        Some(uuid) if uuid.len() == 36 && uuid.chars().all(|c| c.is_ascii_hexdigit() || c == '-') => {
            Ok(Gpu::Uuid(text.to_owned()))
        }
        _ => Err("a GPU is an index such as 0, or a UUID as nvidia-smi -L prints it (GPU-… or MIG-…)".into()),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    // No names: a static program has no resolver.
    let wrong = |_| {
        "an address is a number with a port, such as 127.0.0.1:9476, 0.0.0.0:9476 or [::]:9476".to_owned()
    };
    text.parse().map_err(wrong)
}

fn duration(text: &str) -> Result<Duration, String> {
    time(text, "a deadline")
}

fn time(text: &str, what: &str) -> Result<Duration, String> {
    let wrong = || "a time is a number with a unit, such as 500ms, 30s or 2m".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "ms" => number / 1e3,
        "s" | "" => number,
        "m" => number * 60.0,
        _ => return Err(wrong()),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time >= Duration::from_millis(10) && time <= Duration::from_secs(86_400) => Ok(time),
        _ => Err(format!("{what} is at least 10ms and at most a day")),
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    time(text, "an interval")
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name @ ("LD_LIBRARY_PATH" | "LD_PRELOAD"), value)) => Ok((name.to_owned(), value.to_owned())),
        Some(_) => Err("LD_LIBRARY_PATH and LD_PRELOAD alone decide what is loaded".into()),
        None => Err("a variable is NAME=VALUE".into()),
    }
}

/// `sm_90`, `9.0` and `90` are the same.
fn architecture(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("sm_").unwrap_or(text).replace('.', "");
    match digits.parse() {
        Ok(number @ 20..1000) => Ok(number),
        _ => Err("an architecture is a compute capability such as sm_90 or 9.0".into()),
    }
}

fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || "a size is a number with a unit, such as 200MB, 1.5GB or 0".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" | "k" => 1e3,
        "mb" | "m" => 1e6,
        "gb" | "g" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    Ok((number * factor) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times() {
        let good = [("500ms", 0.5), ("30s", 30.0), ("2m", 120.0), ("1.5", 1.5)];
        for (text, seconds) in good {
            assert_eq!(duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "s", "10x", "-1s", "1ms", "1e9s", "nan", "90000s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_architectures() {
        let good =
            [("0", 0), ("200MB", 200_000_000), ("1.5GB", 1_500_000_000), ("1GiB", 1 << 30), ("7 kB", 7000)];
        for (text, size) in good {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "MB", "-1", "1TB/s", "1e9"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        for text in ["sm_90", "9.0", "90"] {
            assert_eq!(architecture(text), Ok(90), "{text}");
        }
        for text in ["", "sm_", "hopper", "9", "sm_90a"] {
            assert!(architecture(text).is_err(), "{text}");
        }
    }

    #[test]
    fn gpus() {
        assert_eq!(gpu("3"), Ok(Gpu::Index(3)));
        assert!(gpu("GPU-00000000-0000-0000-0000-000000000003").is_ok());
        for text in ["", "-1", "GPU-3", "all", "GPU-zzzzzzzz-0000-0000-0000-000000000003"] {
            assert!(gpu(text).is_err(), "{text}");
        }
    }
}
