//! How the container was started: were a GPU and its driver given to it at all?

use super::driver::libcuda_loaded;
use super::predict::requirement_met;
use super::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::event::Event;
use crate::facts::probe::ProbeRun;
use crate::facts::target_machine::TargetMachine;
use crate::model::{Fix, Level, Owner, Severity};
use image_audit::census::{Copy, Origin};

/// What cannot work where no GPU is reachable.
const ALL_BEYOND: &[&str] = &[
    "launch.device-denied",
    "launch.node-dead",
    "launch.node-permissions",
    "launch.selinux",
    "launch.uvm-missing",
    "launch.library-path",
    "launch.visible-devices",
    "image.no-ld-cache",
    "image.compat-mismatch",
    "node.driver-mismatch",
    "node.hmm",
    "node.closed-module",
    "node.uvm-wedged",
    "launch.libcuda-missing",
    "image.stub-libcuda",
    "driver.load",
    "driver.init",
    "driver.no-devices",
    "driver.nvml",
    "driver.nvml-failed",
    "probe.nothing-verified",
];

/// The same, where the machine has a driver.
const NOT_BROUGHT: &[&str] = &[
    "launch.driver-not-loaded",
    "launch.not-requested",
    "launch.libcuda-missing",
    "launch.uvm-missing",
    "launch.visible-devices",
    "node.closed-module",
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
        owner: Owner::Node,
        fix: Fix::Host,
        title: "No NVIDIA driver is loaded on this machine",
        why: "The kernel module tells its version in /proc/driver/nvidia/version and has its name in /proc/devices. Where \
              neither shows, there is no driver, and no flag of the container can bring a GPU: the machine has none, or \
              its driver is not installed, was not rebuilt for the running kernel, or is blocked (Secure Boot, nouveau).",
        remedy: "Run `nvidia-smi` on the host. If that fails as well, install or reload the driver there (`sudo \
                 modprobe nvidia`), or run the container on a machine with a GPU.",
        explains: ALL_BEYOND,
        codes: &[(Family::Nvml, 9)],
        judge: driver_not_loaded,
    },
    Check {
        id: "launch.no-runtime-class",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "The pod has a GPU, and its runtime did not bring it",
        why: "The device plugin has told the container which GPUs it got, in NVIDIA_VISIBLE_DEVICES, and neither nodes \
              nor libraries are there: the pod runs under a runtime that does not know NVIDIA's.",
        remedy: "Add to the pod: runtimeClassName: nvidia   (or make nvidia the default_runtime_name of containerd on the \
                 node)",
        explains: NOT_BROUGHT,
        codes: &[(Family::Runtime, 35), (Family::Nvml, 12)],
        judge: no_runtime_class,
    },
    Check {
        id: "launch.no-gpu-selected",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "NVIDIA_VISIBLE_DEVICES selects no GPU",
        why: "With 'none' the container gets the driver's libraries and no GPU; with 'void' or an empty value it gets \
              nothing at all. An image or a Compose file may set it. Where GPUs come through CDI the value is always \
              'void' and means nothing: there the nodes are in the container.",
        remedy: "docker run --gpus all -e NVIDIA_VISIBLE_DEVICES=all ...",
        explains: NOT_BROUGHT,
        codes: &[(Family::Driver, 100), (Family::Runtime, 35)],
        judge: no_gpu_selected,
    },
    Check {
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
        judge: not_requested,
    },
    Check {
        id: "launch.libcuda-missing",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "The driver library libcuda.so.1 is not in the container",
        why: "libcuda belongs to the host's driver, and the container runtime brings it for the capability \
              'compute'. A list of capabilities without it gives a container in which nvidia-smi works and CUDA does \
              not.",
        remedy: "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...   (Compose: \
                 capabilities: [gpu]; Dockerfile: ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility)",
        explains: &["driver.load", "probe.nothing-verified"],
        codes: &[],
        judge: libcuda_missing,
    },
    Check {
        id: "launch.requirement",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Host,
        title: "The image asks for a newer driver than this machine has",
        why: "NVIDIA's images say in NVIDIA_REQUIRE_CUDA what driver they need, and the container runtime refuses to start \
              them elsewhere, unless NVIDIA_DISABLE_REQUIRE tells it not to look.",
        remedy: "Upgrade the driver on the host, or use an older tag of the image",
        explains: &[],
        codes: &[],
        judge: requirement,
    },
    Check {
        id: "launch.environment-differs",
        severity: Severity::Note,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "The container's main process has another environment than this check",
        why: "Health checks and exec get the environment of the image and of the start command, not what a start script \
              exported. The application may load other libraries, or see other GPUs, than what is checked here.",
        remedy: "Set the variables by ENV in the Dockerfile or -e at the start, not in the start script",
        explains: &[],
        codes: &[],
        judge: environment_differs,
    },
];

/// Level image runs nothing, and an image at rest has no GPU to miss. Where no file could be opened, nothing is
/// known of what is missing.
pub fn expects_gpu(facts: &Facts) -> bool {
    facts.request.running && !facts.host.limits.no_files && facts.request.level != Level::Image
}

/// The value of NVIDIA_VISIBLE_DEVICES.
fn visible(facts: &Facts) -> Option<&str> {
    facts.host.environment.get("NVIDIA_VISIBLE_DEVICES").map(String::as_str)
}

fn no_runtime_class(facts: &Facts) -> Outcome {
    if !expects_gpu(facts) {
        return Outcome::Skip("nothing was to be run, or nothing could be opened");
    }
    let kubernetes = facts.host.platform.container.as_deref() == Some("kubernetes");
    let assigned = visible(facts).filter(|value| value.contains("GPU-") || value.contains("MIG-"));
    let Some(value) = assigned.filter(|_| kubernetes && !has_nodes(facts) && !answered(facts)) else {
        return Outcome::Pass;
    };
    Some(
        Problem::new("NVIDIA_VISIBLE_DEVICES names the pod's GPU, and no device node is in the container.")
            .evidence(format!("NVIDIA_VISIBLE_DEVICES={value}"))
            .evidence("no node /dev/nvidia*"),
    )
    .into()
}

fn no_gpu_selected(facts: &Facts) -> Outcome {
    if !expects_gpu(facts) {
        return Outcome::Skip("nothing was to be run, or nothing could be opened");
    }
    let gpu_node = facts.host.nodes.iter().any(|node| is_gpu_node(&node.path));
    let none = visible(facts).filter(|value| matches!(*value, "none" | "void" | ""));
    let Some(value) = none.filter(|_| !gpu_node && !other_platform(facts) && !answered(facts)) else {
        return Outcome::Pass;
    };
    // Without a driver on the machine no value would help.
    if facts.host.module.is_none() && facts.host.majors.is_empty() {
        return Outcome::Pass;
    }
    let what = if has_nodes(facts) { "no node of a GPU" } else { "no node of the driver" };
    let problem =
        Problem::new(format!("NVIDIA_VISIBLE_DEVICES is '{value}', and {what} is in the container."))
            .evidence(format!("NVIDIA_VISIBLE_DEVICES={value}"));
    let problem = match facts.host.platform.container.as_deref() {
        Some("kubernetes") => problem.remedy(
            "Take NVIDIA_VISIBLE_DEVICES out of the pod's env, and request the GPU: resources.limits nvidia.com/gpu: 1",
        ),
        Some("podman") => problem.remedy("podman run --device nvidia.com/gpu=all ..."),
        _ => problem,
    };
    Some(problem).into()
}

/// `/dev/nvidia0`, and not `/dev/nvidia-modeset`.
pub fn is_gpu_node(path: &str) -> bool {
    path.strip_prefix("/dev/nvidia")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

fn environment_differs(facts: &Facts) -> Outcome {
    let differs = &facts.host.differs_in_first;
    if differs.is_empty() || !facts.request.running {
        return Outcome::Pass;
    }
    let names: Vec<&str> = differs.keys().map(String::as_str).collect();
    let problem = Problem::new(format!("Process 1 has its own {}.", names.join(", ")));
    let list = |problem: Problem, (name, value): (&String, &String)| {
        let here =
            facts.host.environment.get(name).map_or("not set here".to_owned(), |here| format!("here {here}"));
        problem.evidence(format!("{name}={value} in process 1, {here}"))
    };
    Some(differs.iter().fold(problem, list)).into()
}

fn requirement(facts: &Facts) -> Outcome {
    let Some(value) = facts.host.environment.get("NVIDIA_REQUIRE_CUDA") else { return Outcome::Pass };
    let cuda = facts.probes.iter().find_map(|run| run.driver().next()).map(|driver| driver.cuda);
    let device = facts.probes.iter().flat_map(ProbeRun::devices).next();
    let (Some(cuda), Some(device)) = (cuda, device) else {
        return Outcome::Skip("CUDA's version of the driver is not known");
    };
    let version = facts.probes.iter().find_map(|run| run.nvml().next()?.driver.known().cloned());
    let module = facts.host.module.as_ref();
    let here = TargetMachine {
        name: "this machine".to_owned(),
        gpu: u32::try_from(device.capability.0 * 10 + device.capability.1).unwrap_or_default(),
        driver: version.or_else(|| module?.version.clone()),
        cuda: u32::try_from(cuda).ok().map(|cuda| (cuda / 1000, cuda % 1000 / 10)),
        open_module: module.map(|module| module.open),
        datacenter: None,
    };
    if requirement_met(value, &here) != Some(false) {
        return Outcome::Pass;
    }
    let has = super::math::cuda(cuda);
    Some(
        Problem::new(format!("The driver supports CUDA {has}, and what the image asks for is not met."))
            .evidence(format!("NVIDIA_REQUIRE_CUDA={value}")),
    )
    .into()
}

fn has_nodes(facts: &Facts) -> bool {
    facts.host.nodes.iter().any(|node| node.path.starts_with("/dev/nvidia"))
}

/// Machines on which the GPU has other nodes, and no /proc/driver/nvidia.
pub fn other_platform(facts: &Facts) -> bool {
    facts.host.platform.wsl || facts.host.platform.jetson
}

/// A libcuda that could be a driver's, wherever it came from.
fn libcuda(facts: &Facts) -> Option<&Copy> {
    let real = |copy: &&Copy| copy.library == "libcuda" && copy.origin != Origin::Stub && copy.bytes > 0;
    facts.census.copies.iter().find(real)
}

/// A GPU has answered: then all that this family could say is wrong.
pub fn answered(facts: &Facts) -> bool {
    facts
        .probes
        .iter()
        .any(|run| run.driver().any(|driver| driver.devices > 0) || run.nvml_devices().next().is_some())
}

/// CUDA has answered: libcuda is there, wherever it was found.
/// What was asked for works as far as it was asked: NVML's answer is none for CUDA.
pub fn works(facts: &Facts) -> bool {
    if facts.request.level == Level::Nvml { answered(facts) } else { cuda_works(facts) }
}

pub fn cuda_works(facts: &Facts) -> bool {
    facts.probes.iter().any(|run| run.driver().any(|driver| driver.devices > 0))
}

fn driver_not_loaded(facts: &Facts) -> Outcome {
    if !expects_gpu(facts) {
        return Outcome::Skip("nothing was to be run, or nothing could be opened");
    }
    let nodes = has_nodes(facts);
    // Run as root, the driver's own libraries make nodes that nothing answers: those are no sign of it.
    let answers = |errno| !matches!(errno, Some(ENXIO | ENODEV));
    let dead = nodes && opened(facts).count() > 0 && !opened(facts).any(|(_, errno)| answers(errno));
    // The kernel lists its drivers even where the module's own files are hidden.
    let listed = !facts.host.majors.is_empty();
    if facts.host.module.is_some() || listed || other_platform(facts) || answered(facts) || (nodes && !dead) {
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
    problem = problem.evidence("/proc/devices lists no nvidia driver");
    if libcuda(facts).is_none() {
        problem = problem.evidence("no libcuda.so.1 in the file system");
    }
    Some(problem).into()
}

fn not_requested(facts: &Facts) -> Outcome {
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

/// The nodes that the probe tried, and the error of each that did not open.
pub fn opened(facts: &Facts) -> impl Iterator<Item = (&str, Option<i32>)> {
    facts.probes.iter().flat_map(|run| &run.events).filter_map(|event| match event {
        Event::Node { path, errno } => Some((path.as_str(), *errno)),
        _ => None,
    })
}

fn libcuda_missing(facts: &Facts) -> Outcome {
    if !expects_gpu(facts) {
        return Outcome::Skip("nothing was to be run, or nothing could be opened");
    }
    if !(has_nodes(facts) || facts.host.module.is_some())
        || libcuda(facts).is_some()
        || facts.host.driver_files.iter().any(|file| file.path.contains("libcuda.so"))
        || !libcuda_loaded(facts).is_empty()
        || cuda_works(facts)
        || facts.request.level == Level::Nvml
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

pub fn errno_name(errno: i32) -> String {
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
