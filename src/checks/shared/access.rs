//! Questions about the container that many checks ask: was a GPU expected, do its nodes open, has anything answered.

use crate::facts::Facts;
use crate::facts::event::Event;
use crate::model::Level;
use image_audit::census::{Copy, Origin};

/// What cannot work where no GPU is reachable.
pub const ALL_BEYOND: &[&str] = &[
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
pub const NOT_BROUGHT: &[&str] = &[
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

pub const EPERM: i32 = 1;

pub const EACCES: i32 = 13;

pub const ENXIO: i32 = 6;

pub const ENODEV: i32 = 19;

/// Level image runs nothing, and an image at rest has no GPU to miss. Where no file could be opened, nothing is
/// known of what is missing.
pub fn expects_gpu(facts: &Facts) -> bool {
    facts.request.running && !facts.host.limits.no_files && facts.request.level != Level::Image
}

/// The value of NVIDIA_VISIBLE_DEVICES.
pub fn visible(facts: &Facts) -> Option<&str> {
    facts.host.environment.get("NVIDIA_VISIBLE_DEVICES").map(String::as_str)
}

/// `/dev/nvidia0`, and not `/dev/nvidia-modeset`.
pub fn is_gpu_node(path: &str) -> bool {
    path.strip_prefix("/dev/nvidia")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

pub fn has_nodes(facts: &Facts) -> bool {
    facts.host.nodes.iter().any(|node| node.path.starts_with("/dev/nvidia"))
}

/// Machines on which the GPU has other nodes, and no /proc/driver/nvidia.
pub fn other_platform(facts: &Facts) -> bool {
    facts.host.platform.wsl || facts.host.platform.jetson
}

/// A libcuda that could be a driver's, wherever it came from.
pub fn libcuda(facts: &Facts) -> Option<&Copy> {
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

/// The nodes that the probe tried, and the error of each that did not open.
pub fn opened(facts: &Facts) -> impl Iterator<Item = (&str, Option<i32>)> {
    facts.probes.iter().flat_map(|run| &run.events).filter_map(|event| match event {
        Event::Node { path, errno } => Some((path.as_str(), *errno)),
        _ => None,
    })
}

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
