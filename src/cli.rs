//! Every flag once. The documentation comments are what `--help` prints.
//!
//! Here values are parsed and refused; nothing is done with them. `parse.rs` decides where a value comes from: a
//! flag, an environment variable, the configuration, or the default.

mod config;
mod parse;
pub mod target_machine;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::facts::Accepted;
use crate::facts::target_machine::TargetMachine;
use crate::model::{Format, GpuSelector, Level, Severity};
use crate::report::Purpose;
pub use parse::{Refusal, parse};
use target_machine::On;
use values::{address, architecture, bytes, duration, gpu, interval, variable};

/// Version, and the oldest glibc that the embedded probe runs on.
const VERSION: &str =
    concat!(env!("CARGO_PKG_VERSION"), " (the probe needs ", env!("CUDACHECK_GLIBC_FLOOR"), " or newer)");

/// Verifies that the GPUs in this container work, explains why when they do not, and lists which CUDA
/// libraries in the image are present, missing or redundant.
///
/// Exit status: 0 verified; 1 a finding at or above --fail-on; 2 wrong usage or an internal error;
/// 3 undecided. `cudacheck health` exits with 0 or 1 only.
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
    /// Print one line for Docker HEALTHCHECK and exec probes; exit with 0 or 1
    Health(Health),
    /// Serve probes and metrics over HTTP: /livez, /readyz, /startupz, /metrics, /report
    Serve(Serve),
    /// Audit an image: which CUDA libraries are present, missing or redundant, and what can be removed
    Image(Box<Image>),
    /// Explain a finding or an error code
    Explain {
        /// ID of a finding, such as launch.not-requested, or an error code by number or name, such as 803,
        /// nvml:999 or CUDA_ERROR_SYSTEM_NOT_READY [default: list all findings]
        #[arg(value_name = "ID|CODE", allow_hyphen_values = true)]
        what: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct Verify {
    /// How deep to check
    #[arg(long, value_enum, default_value_t = Level::Gemm, env = "CUDACHECK_LEVEL")]
    pub level: Level,
    /// Verify only these GPUs, by CUDA index or UUID, separated by commas [default: all that CUDA lists]
    #[arg(long, value_delimiter = ',', value_parser = gpu, value_name = "GPU", env = "CUDACHECK_GPUS")]
    pub gpus: Vec<GpuSelector>,
    /// Fail unless at least N GPUs are verified
    #[arg(long, value_name = "N", allow_negative_numbers = true, env = "CUDACHECK_REQUIRE_GPUS")]
    pub require_gpus: Option<u32>,
    /// Deadline for the whole run, such as 90s or 500ms
    #[arg(long, value_parser = duration, default_value = "60s", value_name = "TIME", env = "CUDACHECK_TIMEOUT")]
    pub timeout: Duration,
    #[command(flatten)]
    pub saved: Saved,
    #[command(flatten)]
    pub output: Output,
    /// Also write metrics to a file, for the textfile collector of node_exporter
    #[arg(long, value_name = "FILE", conflicts_with = "from_facts")]
    pub textfile: Option<PathBuf>,
    /// Read values of these flags from a file, TOML or JSON: level, gpus, require-gpus, timeout, format,
    /// fail-on; and accepted findings
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
    /// Which probe is asking; it decides which findings fail (docs/probes.md) [default: readiness]
    #[arg(long = "for", value_enum, value_name = "PROBE", env = "CUDACHECK_FOR")]
    pub purpose: Option<Purpose>,
    /// Write the gathered facts to a file, for `cudacheck --from-facts`
    #[arg(long, value_name = "FILE")]
    pub save_facts: Option<PathBuf>,
}

/// Options of a check that is repeated.
#[derive(Clone, Debug, Args)]
pub struct Watch {
    /// How deep to check; nvml and driver create no context and take no GPU memory
    #[arg(long, value_enum, default_value_t = Level::Nvml, env = "CUDACHECK_HEALTH_LEVEL")]
    pub level: Level,
    /// Check only these GPUs, by CUDA index, GPU-UUID or MIG-UUID, separated by commas [default: all that
    /// CUDA lists]
    #[arg(long, value_delimiter = ',', value_parser = gpu, value_name = "GPU", env = "CUDACHECK_GPUS")]
    pub gpus: Vec<GpuSelector>,
    /// Fail unless at least N GPUs are verified
    #[arg(long, value_name = "N", allow_negative_numbers = true, env = "CUDACHECK_REQUIRE_GPUS")]
    pub require_gpus: Option<u32>,
    /// Deadline for a check, such as 5s or 800ms
    #[arg(long, value_parser = duration, default_value = "10s", value_name = "TIME", env = "CUDACHECK_HEALTH_TIMEOUT")]
    pub timeout: Duration,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Address and port to listen on, such as 0.0.0.0:9476 or [::]:9476. There is no encryption and no
    /// authentication
    #[allow(
        rustdoc::broken_intra_doc_links,
        reason = "an IPv6 address is not a link, and --help would show backticks"
    )]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address, default_value = "127.0.0.1:9476", env = "CUDACHECK_LISTEN")]
    pub listen: SocketAddr,
    #[command(flatten)]
    pub watch: Watch,
    /// Level of the first check, repeated until it passes [default: --level]
    #[arg(long, value_enum, env = "CUDACHECK_STARTUP_LEVEL")]
    pub startup_level: Option<Level>,
    /// Deadline for a check at the startup level
    #[arg(long, value_parser = duration, default_value = "60s", value_name = "TIME", env = "CUDACHECK_STARTUP_TIMEOUT")]
    pub startup_timeout: Duration,
    /// Pause between the end of a check and the start of the next
    #[arg(long, value_parser = interval, default_value = "30s", value_name = "TIME", env = "CUDACHECK_INTERVAL")]
    pub interval: Duration,
    /// Age at which a result becomes stale [default: three times --interval plus --timeout]
    #[arg(long, value_parser = interval, value_name = "TIME", env = "CUDACHECK_MAX_AGE")]
    pub max_age: Option<Duration>,
    /// Also write metrics to a file after each check, for the textfile collector of node_exporter
    #[arg(long, value_name = "FILE")]
    pub textfile: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Image {
    /// Root directory, docker-save or OCI archive, OCI layout directory, or - for an archive on standard
    /// input
    #[arg(default_value = "/", value_name = "WHAT", conflicts_with = "from_facts")]
    pub what: PathBuf,
    /// How much to read; census skips Python sources, strings and device code
    #[arg(long, value_enum, default_value_t = Depth::Full)]
    pub level: Depth,
    /// Environment of the image's programs, such as LD_LIBRARY_PATH=/opt/lib [default: what the image
    /// configures; for the running root, the environment of this process]
    #[arg(long = "env", value_parser = variable, value_name = "NAME=VALUE")]
    pub environment: Vec<(String, String)>,
    /// Image to audit in an archive that holds several, by name and tag
    #[arg(long, value_name = "REF", conflicts_with = "from_facts")]
    pub image: Option<String>,
    /// GPU architectures that the image is for, such as sm_90, separated by commas [default: those of the
    /// GPUs present]
    #[arg(long, value_delimiter = ',', value_parser = architecture, value_name = "SM")]
    pub arch: Vec<u32>,
    /// Predict whether the image will work on a machine, without a GPU. Describe the machine by GPU (name or
    /// architecture) and driver, such as gpu=H100,driver=535.104.05 (or cuda=12.2 instead of driver; optional:
    /// open-module=yes|no, datacenter=yes|no), or name one of the configuration's machines, or all. Repeatable
    #[arg(long, value_parser = target_machine::on, value_name = "MACHINE")]
    pub on: Vec<On>,
    /// Fail if redundant copies take more than SIZE, such as 200MB
    #[arg(long, value_parser = bytes, value_name = "SIZE")]
    pub max_redundant: Option<u64>,
    /// Read values of these flags from a file, TOML or JSON: level, env, arch, on, max-redundant, format,
    /// fail-on; accepted findings; and machines for --on
    #[arg(long, value_name = "FILE", env = "CUDACHECK_CONFIG")]
    pub config: Option<PathBuf>,
    /// Findings that the configuration accepts
    #[arg(skip)]
    pub accepted: Vec<Accepted>,
    /// The machines that --on names
    #[arg(skip)]
    pub machines: Vec<TargetMachine>,
    /// Print what the image's loader loads for a program or library, or for all of them, and exit
    #[arg(long, value_name = "FILE|all", conflicts_with_all = ["save_facts", "from_facts"])]
    pub ldd: Option<String>,
    /// Print the files and links of the image as its containers see them, and exit
    #[arg(long, conflicts_with_all = ["save_facts", "from_facts"])]
    pub list: bool,
    #[command(flatten)]
    pub saved: Saved,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Saved {
    /// Write the gathered facts to a file, for --from-facts. User and host names, addresses, secrets, UUIDs
    /// and registries are replaced; paths, packages and GPU names are kept: read it before you post it
    #[arg(long, value_name = "FILE", conflicts_with = "from_facts")]
    pub save_facts: Option<PathBuf>,
    /// Judge saved facts instead of this machine. Flags that gather facts have no effect
    #[arg(long, value_name = "FILE")]
    pub from_facts: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Depth {
    /// Which libraries exist and what is linked to them
    Census,
    /// Also names passed to dlopen and ctypes, device code, leftovers and secrets
    Full,
}

#[derive(Debug, Args)]
pub struct Output {
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Human, env = "CUDACHECK_FORMAT")]
    pub format: Format,
    /// Lowest severity that makes the exit status 1
    #[arg(long, value_enum, default_value_t = FailOn::Error, value_name = "SEVERITY", env = "CUDACHECK_FAIL_ON")]
    pub fail_on: FailOn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    Error,
    Warning,
    Note,
}

impl From<FailOn> for Severity {
    fn from(fail_on: FailOn) -> Self {
        match fail_on {
            FailOn::Error => Severity::Error,
            FailOn::Warning => Severity::Warning,
            FailOn::Note => Severity::Note,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
