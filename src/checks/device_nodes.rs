//! Device nodes: are those that the driver needs there, of the right number, and may they be opened?

use super::launch::{errno_name, opened, works};
use super::{Check, Outcome, Problem, launch};
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::host::Node;
use crate::model::Stage;
use crate::model::{Fix, Owner, Severity};

/// What fails when nodes cannot be used.
const BEYOND: &[&str] = &[
    "driver.load",
    "driver.init",
    "driver.no-devices",
    "driver.nvml",
    "driver.nvml-failed",
    "driver.gpu-lost",
    "launch.visible-devices",
    "node.mig-empty",
    "node.uvm-wedged",
    "probe.nothing-verified",
];

/// The cgroup lists the number that the running driver has, and not that of an old node.
const STALE: &[&str] = &[
    "launch.device-denied",
    "launch.node-dead",
    "driver.init",
    "driver.no-devices",
    "driver.nvml",
    "node.uvm-wedged",
    "probe.nothing-verified",
];

pub const CHECKS: &[Check] = &[
    Check {
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
        judge: device_denied,
    },
    Check {
        id: "launch.selinux",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "SELinux forbids the GPU's nodes",
        why: "The mode of the nodes allows this user to open them, and opening fails with EACCES: the label of the \
              container may not use devices of the host.",
        remedy: "On the host: sudo setsebool -P container_use_devices 1   (or run with --security-opt label=disable)",
        explains: BEYOND,
        codes: &[(Family::Nvml, 4)],
        judge: selinux,
    },
    Check {
        id: "launch.node-permissions",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "This user may not open the GPU's nodes",
        why: "The nodes belong to a group that the container's user is not in, since the driver was told to make them \
              with a restrictive mode. In a rootless container the group of the host is shown as nobody's.",
        remedy: "docker run --gpus all --group-add GID ...   with the group of /dev/nvidiactl",
        explains: BEYOND,
        codes: &[(Family::Nvml, 4)],
        judge: permissions,
    },
    Check {
        id: "launch.node-dead",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "No driver answers behind the GPU's nodes",
        why: "Opening the nodes fails with ENXIO, ENODEV or EIO: the driver that made them is not loaded any more, was \
              loaded again with other numbers, or has lost its GPU.",
        remedy: "Recreate the container, so that it gets the nodes of the driver that runs now. If that does not help, \
                 look at `nvidia-smi` and `dmesg | grep -i -e nvrm -e xid` on the host",
        explains: BEYOND,
        codes: &[],
        judge: dead,
    },
    Check {
        id: "launch.uvm-stale",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::RecreateSame,
        title: "/dev/nvidia-uvm has the number of an earlier driver",
        why: "The kernel chooses the major number of nvidia-uvm when the module is loaded. The node of this container \
              has another one than /proc/devices: the container, or the CDI specification that it was made from, is \
              older than the running driver.",
        remedy: "On the host: sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml   then recreate the container",
        explains: STALE,
        codes: &[(Family::Driver, 999), (Family::Driver, 100)],
        judge: uvm_stale,
    },
    Check {
        id: "launch.uvm-missing",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "/dev/nvidia-uvm is not in the container",
        why: "CUDA needs the node of the unified memory driver; nvidia-smi does not. It is missing where the module \
              nvidia_uvm was not loaded when the container was created.",
        remedy: "On the host: sudo modprobe nvidia_uvm && sudo nvidia-modprobe -u -c=0   then recreate the container",
        explains: BEYOND,
        codes: &[(Family::Driver, 999)],
        judge: uvm_missing,
    },
    Check {
        id: "launch.mig-caps",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "The container has no access to its MIG instance",
        why: "Each MIG instance has a node in /dev/nvidia-caps, beside the one of its GPU. Without it the driver \
              refuses the instance, though the GPU is visible.",
        remedy: "docker run --gpus '\"device=MIG-UUID\"' ...   with a current NVIDIA Container Toolkit; nvidia-smi -L on \
                 the host lists the UUIDs",
        explains: BEYOND,
        codes: &[(Family::Nvml, 4)],
        judge: mig_caps,
    },
];

const EPERM: i32 = 1;
const EACCES: i32 = 13;

/// The nodes that did not open, if they are such that no GPU can be used: one GPU's node of several
/// may be out of reach on purpose, the control nodes are for all.
fn refused(facts: &Facts) -> Vec<(&str, i32)> {
    let refused: Vec<(&str, i32)> = opened(facts).filter_map(|(path, errno)| Some((path, errno?))).collect();
    let control = |path: &str| path == "/dev/nvidiactl" || path == "/dev/nvidia-uvm";
    let nodes = facts.host.nodes.iter().filter(|node| node.path.starts_with("/dev/nvidia")).count();
    let is_refused = |node: &&Node| refused.iter().any(|(path, _)| *path == node.path);
    let mut gpus = facts.host.nodes.iter().filter(|node| launch::is_gpu_node(&node.path)).peekable();
    let all_gpus = gpus.peek().is_some() && gpus.all(|node| is_refused(&node));
    let fatal = refused.iter().any(|(path, _)| control(path)) || all_gpus || refused.len() >= nodes.max(1);
    if works(facts) || !fatal { Vec::new() } else { refused }
}

/// A problem with the nodes that failed in this way, if the first of them did.
fn of_kind(facts: &Facts, kind: impl Fn(&str, i32) -> Option<String>) -> Outcome {
    if opened(facts).next().is_none() {
        return Outcome::Skip("no device node was opened");
    }
    let refused = refused(facts);
    let Some(&(path, errno)) = refused.first() else { return Outcome::Pass };
    let Some(cause) = kind(path, errno) else { return Outcome::Pass };
    let list = |problem: Problem, (path, errno): &(&str, i32)| {
        problem.evidence(format!("open {path}: {}", errno_name(*errno)))
    };
    Some(refused.iter().fold(Problem::new(cause), list)).into()
}

fn device_denied(facts: &Facts) -> Outcome {
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

fn node<'a>(facts: &'a Facts, path: &str) -> Option<&'a Node> {
    facts.host.nodes.iter().find(|node| node.path == path)
}

/// Whether the mode of a node lets this process read and write.
fn mode_allows(facts: &Facts, node: &Node) -> bool {
    let process = &facts.host.process;
    let bits = if process.uid == node.uid {
        node.mode >> 6
    } else if process.gid == node.gid || process.groups.contains(&node.gid) {
        node.mode >> 3
    } else {
        node.mode
    };
    // Root of a user namespace is nobody special to nodes of the host.
    process.uid == 0 && !process.user_namespace || bits & 0o6 == 0o6
}

fn is_selinux(facts: &Facts) -> bool {
    facts.host.process.label.as_deref().is_some_and(|label| label.contains(":container_t:"))
}

fn selinux(facts: &Facts) -> Outcome {
    let outcome = of_kind(facts, |path, errno| {
        let allowed = node(facts, path).is_some_and(|node| mode_allows(facts, node));
        (errno == EACCES && allowed && is_selinux(facts))
            .then(|| format!("Its mode allows {path}, and opening it fails with {}.", errno_name(errno)))
    });
    let label = facts.host.process.label.clone().unwrap_or_default();
    with_evidence(outcome, format!("/proc/self/attr/current: {label}"))
}

fn with_evidence(outcome: Outcome, line: String) -> Outcome {
    match outcome {
        Outcome::Fail(problems) => {
            problems.into_iter().map(|problem| problem.evidence(line.clone())).collect::<Vec<_>>().into()
        }
        other => other,
    }
}

fn permissions(facts: &Facts) -> Outcome {
    let process = &facts.host.process;
    let outcome = of_kind(facts, |path, errno| {
        let node = node(facts, path);
        let allowed = node.is_some_and(|node| mode_allows(facts, node));
        let mode = node.map_or(String::new(), |node| {
            format!(" (mode {:04o}, uid {}, gid {})", node.mode, node.uid, node.gid)
        });
        (errno == EACCES && !allowed)
            .then(|| format!("User {} may not open {path}{mode}: {}.", process.uid, errno_name(errno)))
    });
    let Outcome::Fail(mut problems) = outcome else { return outcome };
    for problem in &mut problems {
        let gid = facts.host.nodes.iter().find(|node| node.path == "/dev/nvidiactl").map(|node| node.gid);
        let gid = gid.map_or("GID".to_owned(), |gid| gid.to_string());
        let remedy = if process.user_namespace {
            "podman run --group-add keep-groups ...   (on the host the user must be in the group of /dev/nvidiactl)"
                .to_owned()
        } else {
            format!(
                "docker run --gpus all --group-add {gid} ...   (Kubernetes: securityContext.supplementalGroups: [{gid}])"
            )
        };
        problem.remedy = Some(remedy);
        problem
            .evidence
            .push(format!("uid {}, gid {}, groups {:?}", process.uid, process.gid, process.groups).into());
    }
    Outcome::Fail(problems)
}

fn dead(facts: &Facts) -> Outcome {
    of_kind(facts, |path, errno| {
        (![EPERM, EACCES].contains(&errno))
            .then(|| format!("Opening {path} fails with {}.", errno_name(errno)))
    })
}

const UVM: &str = "/dev/nvidia-uvm";

fn uvm_stale(facts: &Facts) -> Outcome {
    let (Some(node), Some(major)) = (node(facts, UVM), facts.host.majors.get("nvidia-uvm")) else {
        return Outcome::Pass;
    };
    // What is refused for other nodes as well is not this one's matter.
    if refused(facts).iter().any(|(path, _)| *path != UVM) {
        return Outcome::Pass;
    }
    // Where CUDA works the node does, whatever stands for it.
    if node.major == *major || launch::cuda_works(facts) {
        return Outcome::Pass;
    }
    let cause = format!("The node has major number {}, the driver has {major}.", node.major);
    Some(Problem::new(cause).evidence(format!("/proc/devices: {major} nvidia-uvm"))).into()
}

fn uvm_missing(facts: &Facts) -> Outcome {
    let has = |path: &str| node(facts, path).is_some();
    // Only the library's refusal makes it a fault: other platforms have no such node.
    let failed = facts.probes.iter().find_map(|run| run.fault(Stage::DriverInit));
    let lacks = has("/dev/nvidiactl") && !has(UVM) && !launch::cuda_works(facts);
    if !lacks || failed.is_none() || launch::other_platform(facts) {
        return Outcome::Pass;
    }
    let mut problem =
        Problem::new("The GPU's other nodes are there, and CUDA cannot initialise without this one.")
            .evidence(format!("{UVM} does not exist"));
    if let Some(fault) = failed {
        problem = problem.evidence(super::driver::phrase(fault));
    }
    if !facts.host.majors.contains_key("nvidia-uvm") && !facts.host.majors.is_empty() {
        problem = problem.evidence("/proc/devices lists no nvidia-uvm: the module is not loaded on the host");
    }
    Some(problem).into()
}

fn mig_caps(facts: &Facts) -> Outcome {
    let of_mig = facts.host.environment.iter().any(|(name, value)| {
        matches!(name.as_str(), "NVIDIA_VISIBLE_DEVICES" | "CUDA_VISIBLE_DEVICES") && value.contains("MIG-")
    });
    let has_caps = facts.host.nodes.iter().any(|node| node.path.starts_with("/dev/nvidia-caps/"));
    if !of_mig || has_caps || launch::cuda_works(facts) {
        return Outcome::Pass;
    }
    let no_init = facts.probes.iter().any(|run| run.fault(Stage::DriverInit).is_some());
    let none = facts.probes.iter().any(|run| run.driver().any(|driver| driver.devices == 0));
    let refused = facts.probes.iter().any(|run| {
        [Stage::NvmlInit, Stage::NvmlDevice]
            .iter()
            .any(|stage| run.fault(*stage).is_some_and(|fault| fault.code == Some(4)))
    });
    if !(no_init || none || refused) {
        return Outcome::Pass;
    }
    Some(
        Problem::new("A MIG instance was asked for, and /dev/nvidia-caps holds no node.")
            .evidence("no node /dev/nvidia-caps/nvidia-cap*"),
    )
    .into()
}
