//! The device cgroup forbids the GPU's nodes.

use crate::checks::{Check, Outcome};
use crate::checks::shared::access::{EACCES, EPERM, errno_name};
use crate::checks::shared::nodes::{BEYOND, is_selinux, mode_allows, node, of_kind};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.device-denied",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::RecreateSame,
    title: "The device cgroup forbids the GPU's nodes",
    why: "The nodes are in the container, and opening them fails with EPERM whatever their mode: the device cgroup \
          of the container does not list them. Either it never did (no-cgroups = true in the toolkit's \
          configuration, or nodes that were mounted instead of given), or it was lost while the container ran: \
          systemd rewrites the rules when its units are reloaded, and so does the kubelet's static CPU manager.",
    remedy: "Recreate the container: docker run --gpus all ... (podman run --device nvidia.com/gpu=all ...)   If access was lost while it ran: on the host \
             `sudo nvidia-ctk system create-dev-char-symlinks --create-all`, or use CDI. If it never worked: \
             no-cgroups = false in /etc/nvidia-container-runtime/config.toml. `docker restart` tells the two \
             apart: it helps in the first case alone.",
    explains: BEYOND,
    codes: &[(Family::Nvml, 999), (Family::Driver, 100), (Family::Driver, 999)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    of_kind(facts, |path, errno| {
        let name = errno_name(errno);
        let allowed = node(facts, path).is_some_and(|node| mode_allows(facts, node));
        match errno {
            EPERM => Some(format!("Opening {path} fails with {name}, whatever its mode.")),
            EACCES if allowed && !is_selinux(facts) => Some(format!(
                "Opening {path} fails with {name}, though its mode allows it: it was mounted and not given as a \
                 device, or a security module forbids it."
            )),
            _ => None,
        }
    })
}
