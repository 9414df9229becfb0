//! /dev/nvidia-uvm is not in the container.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::access::{cuda_works, other_platform};
use crate::checks::shared::faults::phrase;
use crate::checks::shared::nodes::{BEYOND, UVM, node};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
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
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let has = |path: &str| node(facts, path).is_some();
    // Only the library's refusal makes it a fault: other platforms have no such node.
    let failed = facts.probes.iter().find_map(|run| run.fault(Stage::DriverInit));
    let lacks = has("/dev/nvidiactl") && !has(UVM) && !cuda_works(facts);
    if !lacks || failed.is_none() || other_platform(facts) {
        return Outcome::Pass;
    }
    let mut problem =
        Problem::new("The GPU's other nodes are there, and CUDA cannot initialise without this one.")
            .evidence(format!("{UVM} does not exist"));
    if let Some(fault) = failed {
        problem = problem.evidence(phrase(fault));
    }
    if !facts.host.majors.contains_key("nvidia-uvm") && !facts.host.majors.is_empty() {
        problem = problem.evidence("/proc/devices lists no nvidia-uvm: the module is not loaded on the host");
    }
    Some(problem).into()
}
