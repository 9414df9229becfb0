//! How the container was started: were a GPU and its driver given to it at all?

use super::{Check, Outcome, Problem};
use crate::event::Event;
use crate::facts::Facts;
use crate::facts::census::{Copy, Origin};
use crate::report::Severity;

/// What cannot work where no GPU is reachable.
const ALL_BEYOND: &[&str] = &[
    "launch.device-denied",
    "launch.libcuda-missing",
    "image.stub-libcuda",
    "driver.load",
    "driver.init",
    "driver.no-devices",
    "driver.nvml",
    "driver.nvml-failed",
    "probe.nothing-verified",
];

pub const CHECKS: &[Check] = &[
    Check {
        id: "launch.driver-not-loaded",
        severity: Severity::Error,
        title: "No NVIDIA driver is loaded on this machine",
        why: "The kernel module tells its version in /proc/driver/nvidia/version, in containers too. Where that \
              file does not exist there is no driver, and no flag of the container can bring a GPU: the machine has \
              none, or its driver is not installed, was not rebuilt for the running kernel, or is blocked (Secure \
              Boot, nouveau).",
        remedy: "Run `nvidia-smi` on the host. If that fails as well, install or reload the driver there (`sudo \
                 modprobe nvidia`), or run the container on a machine with a GPU.",
        explains: ALL_BEYOND,
        judge: driver_not_loaded,
    },
    Check {
        id: "launch.not-requested",
        severity: Severity::Error,
        title: "This container was started without a GPU",
        why: "The driver is loaded on the host, but neither its device nodes nor its libraries are in the container: \
              nobody asked for a GPU when it was started, or the runtime that would bring one is not in use.",
        remedy: "docker run --gpus all ...   (Compose: deploy.resources.reservations.devices with capabilities: \
                 [gpu]; Kubernetes: resources.limits nvidia.com/gpu: 1, with runtimeClassName: nvidia)",
        explains: ALL_BEYOND,
        judge: not_requested,
    },
    Check {
        id: "launch.device-denied",
        severity: Severity::Error,
        title: "The GPU's device nodes cannot be opened",
        why: "The nodes are in the container, and opening them fails. EPERM comes from the device cgroup: access was \
              never granted, or was lost when systemd reloaded its units. EACCES comes from file modes or SELinux. \
              ENXIO and ENODEV say that no driver answers behind the node.",
        remedy: "Recreate the container: docker run --gpus all ...",
        explains: &[
            "driver.load",
            "driver.init",
            "driver.no-devices",
            "driver.nvml",
            "probe.nothing-verified",
        ],
        judge: device_denied,
    },
    Check {
        id: "launch.libcuda-missing",
        severity: Severity::Error,
        title: "The driver library libcuda.so.1 is not in the container",
        why: "libcuda belongs to the host's driver, and the container runtime brings it for the capability \
              'compute'. A list of capabilities without it gives a container in which nvidia-smi works and CUDA does \
              not.",
        remedy: "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...   (Compose: \
                 capabilities: [gpu]; Dockerfile: ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility)",
        explains: &["driver.load", "probe.nothing-verified"],
        judge: libcuda_missing,
    },
];

/// Level image runs nothing, and an image at rest has no GPU to miss.
fn expects_gpu(facts: &Facts) -> bool {
    facts.request.running && !matches!(facts.request.level.as_str(), "" | "image")
}

fn has_nodes(facts: &Facts) -> bool {
    facts.host.nodes.iter().any(|node| node.path.starts_with("/dev/nvidia"))
}

/// Machines on which the GPU has other nodes, and no /proc/driver/nvidia.
fn other_platform(facts: &Facts) -> bool {
    facts.host.platform.wsl || facts.host.platform.jetson
}

/// A libcuda that could be a driver's, wherever it came from.
fn libcuda(facts: &Facts) -> Option<&Copy> {
    let real = |copy: &&Copy| copy.library == "libcuda" && copy.origin != Origin::Stub && copy.bytes > 0;
    facts.census.copies.iter().find(real)
}

/// A GPU has answered: then all that this family could say is wrong.
fn answered(facts: &Facts) -> bool {
    facts
        .probes
        .iter()
        .any(|run| run.driver().any(|driver| driver.devices > 0) || run.nvml_devices().next().is_some())
}

/// CUDA has answered: libcuda is there, wherever it was found.
fn cuda_works(facts: &Facts) -> bool {
    facts.probes.iter().any(|run| run.driver().any(|driver| driver.devices > 0))
}

fn driver_not_loaded(facts: &Facts) -> Outcome {
    if !expects_gpu(facts) {
        return Outcome::Skip("nothing was to be run");
    }
    let nodes = has_nodes(facts);
    // Run as root, the driver's own libraries make nodes that nothing answers: those are no sign of it.
    let answers = |errno| !matches!(errno, Some(ENXIO | ENODEV));
    let dead = nodes && opened(facts).count() > 0 && !opened(facts).any(|(_, errno)| answers(errno));
    if facts.host.module.is_some() || other_platform(facts) || answered(facts) || (nodes && !dead) {
        return Outcome::Pass;
    }
    let mut problem = if dead {
        Problem::new(
            "The kernel has no NVIDIA module, and nothing answers behind the device nodes that are there.",
        )
        .evidence("opening /dev/nvidia* fails with ENXIO or ENODEV")
    } else {
        Problem::new("The kernel has no NVIDIA module, and there is no /dev/nvidia* node.")
            .evidence("no node /dev/nvidia*")
    };
    problem = problem.evidence("/proc/driver/nvidia/version does not exist");
    if facts.host.majors.is_empty() {
        problem = problem.evidence("/proc/devices lists no nvidia driver");
    }
    if libcuda(facts).is_none() {
        problem = problem.evidence("no libcuda.so.1 in the file system");
    }
    Some(problem).into()
}

fn not_requested(facts: &Facts) -> Outcome {
    if !expects_gpu(facts) {
        return Outcome::Skip("nothing was to be run");
    }
    let module = facts.host.module.as_ref();
    if has_nodes(facts) || other_platform(facts) || module.is_none() || answered(facts) {
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
    if facts.host.platform.container.as_deref() == Some("kubernetes") {
        problem = problem.remedy(
            "Give the pod resources.limits nvidia.com/gpu: 1 and, where the NVIDIA runtime is not the default, \
             runtimeClassName: nvidia",
        );
    }
    Some(problem).into()
}

/// The nodes that the probe tried, and the error of each that did not open.
fn opened(facts: &Facts) -> impl Iterator<Item = (&str, Option<i32>)> {
    facts.probes.iter().flat_map(|run| &run.events).filter_map(|event| match event {
        Event::Node { path, errno } => Some((path.as_str(), *errno)),
        _ => None,
    })
}

fn device_denied(facts: &Facts) -> Outcome {
    if opened(facts).next().is_none() {
        return Outcome::Skip("no device node was opened");
    }
    let denied: Vec<(&str, i32)> = opened(facts).filter_map(|(path, errno)| Some((path, errno?))).collect();
    // One GPU's node of several may be out of reach on purpose; the control nodes are for all.
    let control = |path: &str| path == "/dev/nvidiactl" || path == "/dev/nvidia-uvm";
    let nodes = facts.host.nodes.iter().filter(|node| node.path.starts_with("/dev/nvidia")).count();
    if answered(facts) || !(denied.iter().any(|(path, _)| control(path)) || denied.len() >= nodes.max(1)) {
        return Outcome::Pass;
    }
    let (path, errno) = denied[0];
    let name = errno_name(errno);
    let mut problem = match errno {
        EPERM => Problem::new(format!("The device cgroup forbids {path} ({name}), whatever its mode.")).remedy(
            "Recreate the container: docker run --gpus all ...   If it was lost while running: on the host \
             `sudo nvidia-ctk system create-dev-char-symlinks --create-all`, or use CDI. If it never worked: \
             no-cgroups = false in /etc/nvidia-container-runtime/config.toml",
        ),
        EACCES => {
            let node = facts.host.nodes.iter().find(|node| node.path == path);
            let mode = node.map_or(String::new(), |node| format!(" (mode {:04o}, uid {}, gid {})", node.mode, node.uid, node.gid));
            let gid = node.map_or("GID".to_owned(), |node| node.gid.to_string());
            let process = &facts.host.process;
            Problem::new(format!("User {} may not open {path}{mode}: {name}.", process.uid))
                .remedy(format!(
                    "docker run --gpus all --group-add {gid} ...   (podman: --group-add keep-groups; with SELinux: \
                     sudo setsebool -P container_use_devices 1)"
                ))
                .evidence(format!("uid {}, gid {}, groups {:?}", process.uid, process.gid, process.groups))
        }
        _ => Problem::new(format!("Opening {path} fails with {name}: no driver answers behind the node."))
            .remedy("Recreate the container, so that it gets the nodes of the driver that runs now. If that does not help, look at `nvidia-smi` and `dmesg` on the host."),
    };
    for (path, errno) in denied {
        problem = problem.evidence(format!("open {path}: {}", errno_name(errno)));
    }
    Some(problem).into()
}

fn libcuda_missing(facts: &Facts) -> Outcome {
    if !expects_gpu(facts) {
        return Outcome::Skip("nothing was to be run");
    }
    if !(has_nodes(facts) || facts.host.module.is_some())
        || libcuda(facts).is_some()
        || cuda_works(facts)
        || facts.request.level == "nvml"
    {
        return Outcome::Pass;
    }
    let mut problem = Problem::new("No libcuda.so.1 of a driver is anywhere in the file system.")
        .evidence("no file libcuda.so.* but stubs");
    if let Some(value) = facts.host.environment.get("NVIDIA_DRIVER_CAPABILITIES") {
        problem = problem.evidence(format!("NVIDIA_DRIVER_CAPABILITIES={value}"));
    }
    Some(problem).into()
}

const EPERM: i32 = 1;
const EACCES: i32 = 13;
const ENXIO: i32 = 6;
const ENODEV: i32 = 19;

fn errno_name(errno: i32) -> String {
    let name = match errno {
        EPERM => "EPERM",
        2 => "ENOENT",
        5 => "EIO",
        ENXIO => "ENXIO",
        EACCES => "EACCES",
        16 => "EBUSY",
        ENODEV => "ENODEV",
        30 => "EROFS",
        _ => return format!("errno {errno}"),
    };
    format!("{name} ({errno})")
}
