//! Device nodes: which were refused, and what their modes allow.

use crate::checks::shared::access::{errno_name, is_gpu_node, opened, works};
use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::facts::host::Node;

/// What fails when nodes cannot be used.
pub const BEYOND: &[&str] = &[
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

pub const UVM: &str = "/dev/nvidia-uvm";

/// The nodes that did not open, if they are such that no GPU can be used: one GPU's node of several
/// may be out of reach on purpose, the control nodes are for all.
pub fn refused(facts: &Facts) -> Vec<(&str, i32)> {
    let refused: Vec<(&str, i32)> = opened(facts).filter_map(|(path, errno)| Some((path, errno?))).collect();
    let control = |path: &str| path == "/dev/nvidiactl" || path == "/dev/nvidia-uvm";
    let nodes = facts.host.nodes.iter().filter(|node| node.path.starts_with("/dev/nvidia")).count();
    let is_refused = |node: &&Node| refused.iter().any(|(path, _)| *path == node.path);
    let mut gpus = facts.host.nodes.iter().filter(|node| is_gpu_node(&node.path)).peekable();
    let all_gpus = gpus.peek().is_some() && gpus.all(|node| is_refused(&node));
    let fatal = refused.iter().any(|(path, _)| control(path)) || all_gpus || refused.len() >= nodes.max(1);
    if works(facts) || !fatal { Vec::new() } else { refused }
}

/// A problem with the nodes that failed in this way, if the first of them did.
pub fn of_kind(facts: &Facts, kind: impl Fn(&str, i32) -> Option<String>) -> Outcome {
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

pub fn node<'a>(facts: &'a Facts, path: &str) -> Option<&'a Node> {
    facts.host.nodes.iter().find(|node| node.path == path)
}

/// Whether the mode of a node lets this process read and write.
pub fn mode_allows(facts: &Facts, node: &Node) -> bool {
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

pub fn is_selinux(facts: &Facts) -> bool {
    facts.host.process.label.as_deref().is_some_and(|label| label.contains(":container_t:"))
}
