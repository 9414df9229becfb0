//! /dev/nvidia-uvm has the number of an earlier driver.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::access::cuda_works;
use crate::checks::shared::nodes::{UVM, node, refused};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

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

pub const CHECK: Check = Check {
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
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let (Some(node), Some(major)) = (node(facts, UVM), facts.host.majors.get("nvidia-uvm")) else {
        return Outcome::Pass;
    };
    // What is refused for other nodes as well is not this one's matter.
    if refused(facts).iter().any(|(path, _)| *path != UVM) {
        return Outcome::Pass;
    }
    // Where CUDA works the node does, whatever stands for it.
    if node.major == *major || cuda_works(facts) {
        return Outcome::Pass;
    }
    let cause = format!("The node has major number {}, the driver has {major}.", node.major);
    Some(Problem::new(cause).evidence(format!("/proc/devices: {major} nvidia-uvm"))).into()
}
