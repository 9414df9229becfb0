//! What kind of container and machine this is.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::read;

/// The kind of container and machine, by files that only it has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Platform {
    /// `docker`, `podman`, `kubernetes` or `other`; none outside of a container.
    pub container: Option<String>,
    pub wsl: bool,
    pub jetson: bool,
    pub gvisor: bool,
    /// A RUN instruction of an image build.
    pub build_step: bool,
    /// The pipe directory of the MPS control daemon exists.
    pub mps: bool,
}

pub fn platform(environment: &BTreeMap<String, String>) -> Platform {
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
