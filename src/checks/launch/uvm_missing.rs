//! CUDA cannot initialize because /dev/nvidia-uvm is not in the container.

use crate::checks::shared::access::cuda_works;
use crate::checks::shared::faults::phrase;
use crate::checks::shared::nodes::{CONTROL, NO_NODES_CONSEQUENCES, UVM, node};
use crate::checks::shared::platform::is_wsl_or_jetson;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "launch.uvm-missing",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "/dev/nvidia-uvm is not in the container",
    why: "CUDA needs the device node of the unified memory driver; nvidia-smi does not. It is missing if the module \
          nvidia_uvm was not loaded when the container was created.",
    remedy: "On the host: `sudo modprobe nvidia_uvm && sudo nvidia-modprobe -u -c=0`; then recreate the container",
    explains: NO_NODES_CONSEQUENCES,
    codes: &[(Library::Driver, 999)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let has = |path: &str| node(facts, path).is_some();
    if !has(CONTROL) || has(UVM) || cuda_works(facts) || is_wsl_or_jetson(facts) {
        return Outcome::Pass;
    }
    // Level nvml does not initialize CUDA, so the node is not needed.
    let Some(fault) = facts.probes.iter().find_map(|run| run.fault(Stage::DriverInit)) else {
        return Outcome::Pass;
    };
    let cause = format!("CUDA cannot initialize without {UVM}; the other device nodes are in the container.");
    let mut problem = Problem::new(cause).file(UVM, " does not exist").evidence(phrase(fault));
    if !facts.host.majors.contains_key("nvidia-uvm") && !facts.host.majors.is_empty() {
        problem = problem.file("/proc/devices", " lists no nvidia-uvm: the module is not loaded on the host");
    }
    Some(problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{lines, passes, problem};
    use crate::facts::sample::{Sample, fault};

    /// cuInit fails, and these nodes are not in the container.
    fn without(nodes: &[&str]) -> Sample {
        Sample::machine(1)
            .fault(None, Stage::DriverInit, fault("cuInit", 999))
            .host(|host| host.nodes.retain(|node| !nodes.contains(&node.path.as_str())))
    }

    #[test]
    fn the_other_nodes_are_there() {
        let problem = problem(judge(&without(&[UVM]).facts()));
        assert_eq!(problem.evidence[0].path.as_deref(), Some(UVM));
        assert!(lines(&problem)[1].starts_with("cuInit returned 999"));
        assert_eq!(problem.evidence.len(), 2, "the module is loaded");
    }

    #[test]
    fn a_module_that_is_not_loaded_is_reported() {
        let sample = without(&[UVM]).host(|host| host.majors.retain(|name, _| name != "nvidia-uvm"));
        let problem = problem(judge(&sample.facts()));
        assert!(lines(&problem)[2].starts_with("/proc/devices lists no nvidia-uvm"));
    }

    #[test]
    fn the_node_is_there_or_not_the_reason() {
        let unharmed = Sample::machine(1).host(|host| host.nodes.retain(|node| node.path != UVM));
        let wsl = without(&[UVM]).host(|host| host.platform.wsl = true);
        for sample in [without(&[]), without(&[UVM, CONTROL]), unharmed, wsl] {
            assert!(passes(judge(&sample.facts())));
        }
    }
}
