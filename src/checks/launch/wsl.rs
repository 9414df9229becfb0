//! WSL does not give this container its GPU.

use crate::checks::{Check, Outcome};
use crate::checks::shared::loading::unsearched_libcuda;
use crate::checks::shared::platform::{BEYOND, unusable};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.wsl",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "WSL does not give this container its GPU",
    why: "Under WSL a GPU is reached through /dev/dxg and the libraries in /usr/lib/wsl/lib; nodes named \
          /dev/nvidia* do not exist there, and need not. NVML's number 17 says that the operating system blocks \
          the access, most often by the device cgroup.",
    remedy: "In WSL: no-cgroups = false in /etc/nvidia-container-runtime/config.toml, `wsl --update` in Windows, then \
             docker run --gpus all ...",
    explains: BEYOND,
    codes: &[(Family::Nvml, 17)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let platform = &facts.host.platform;
    let libraries = facts.host.driver_files.iter().any(|file| file.path.contains("/wsl/"));
    let dxg = facts.host.nodes.iter().any(|node| node.path == "/dev/dxg");
    // Libraries that the loader does not search have a finding of their own.
    if unsearched_libcuda(facts).is_some() {
        return Outcome::Pass;
    }
    let cause = match libraries {
        false => "/dev/dxg is here, and no driver library in /usr/lib/wsl/lib.",
        true => "/dev/dxg and the libraries of WSL are here, and no GPU answers.",
    };
    unusable(facts, platform.wsl && dxg, cause)
}
