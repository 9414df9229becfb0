//! This container was started without a GPU.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::access::{ALL_BEYOND, answered, expects_gpu, has_nodes, other_platform};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.not-requested",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "This container was started without a GPU",
    why: "The driver is loaded on the host, but neither its device nodes nor its libraries are in the container: \
          nobody asked for a GPU when it was started, or the runtime that would bring one is not in use.",
    remedy: "docker run --gpus all ...   (Compose: deploy.resources.reservations.devices with capabilities: \
             [gpu]; Kubernetes: resources.limits nvidia.com/gpu: 1, with runtimeClassName: nvidia)",
    explains: ALL_BEYOND,
    codes: &[(Family::Runtime, 35), (Family::Nvml, 12)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if !expects_gpu(facts) {
        return Outcome::Skip("nothing was to be run, or nothing could be opened");
    }
    let module = facts.host.module.as_ref();
    let platform = &facts.host.platform;
    let without_dxg = platform.wsl && !facts.host.nodes.iter().any(|node| node.path == "/dev/dxg");
    if without_dxg && !has_nodes(facts) && !answered(facts) {
        let cause = "This is WSL, and its GPU's node was not given to the container.";
        return Some(Problem::new(cause).evidence("no node /dev/dxg")).into();
    }
    let driver = module.is_some() || !facts.host.majors.is_empty();
    if has_nodes(facts) || other_platform(facts) || !driver || answered(facts) {
        return Outcome::Pass;
    }
    let version = module.and_then(|module| module.version.as_deref()).unwrap_or("of unknown version");
    let mut problem = Problem::new(format!(
        "The host's driver {version} is loaded, but no device node was given to the container."
    ))
    .evidence("no node /dev/nvidia*")
    .evidence(format!("/proc/driver/nvidia/version: {version}"));
    for name in ["NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"] {
        if let Some(value) = facts.host.environment.get(name) {
            problem = problem.evidence(format!("{name}={value}"));
        }
    }
    if facts.host.platform.container.as_deref() == Some("podman") {
        // Podman takes --gpus and does nothing.
        problem = problem.remedy("podman run --device nvidia.com/gpu=all ...");
    }
    if facts.host.platform.container.as_deref() == Some("kubernetes") {
        problem = problem.remedy(
            "Give the pod resources.limits nvidia.com/gpu: 1 and, where the NVIDIA runtime is not the default, \
             runtimeClassName: nvidia",
        );
    }
    Some(problem).into()
}
