//! The container's /dev/nvidia-uvm has the device number of an earlier driver.

use crate::checks::shared::access::cuda_works;
use crate::checks::shared::nodes::{UVM, node, refused};
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.uvm-stale",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::RecreateSame,
    title: "/dev/nvidia-uvm has the major number of an earlier driver",
    why: "The kernel assigns the major number of nvidia-uvm when the module is loaded. The node in this container has \
          a different one from /proc/devices: the container, or the CDI specification that it was created from, is \
          older than the running driver.",
    remedy: "On the host: `sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`; then recreate the container",
    // The device cgroup allows the number of the running driver, so that the old node is denied.
    explains: &[
        "launch.device-denied",
        "launch.node-dead",
        "driver.init",
        "driver.no-devices",
        "driver.nvml",
        "node.uvm-wedged",
        "probe.nothing-verified",
    ],
    codes: &[(Library::Driver, 999), (Library::Driver, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let (Some(node), Some(major)) = (node(facts, UVM), facts.host.majors.get("nvidia-uvm")) else {
        return Outcome::Pass;
    };
    // If other nodes are refused too, this one's number is not the reason.
    if refused(facts).iter().any(|(path, _)| *path != UVM) {
        return Outcome::Pass;
    }
    // Where CUDA works, the node works, whatever its number: a sandbox may emulate it.
    if node.major == *major || cuda_works(facts) {
        return Outcome::Pass;
    }
    let cause = format!("{UVM} has major number {}, but the running driver has {major}.", node.major);
    Some(Problem::new(cause).at(UVM).file("/proc/devices", &format!(": {major} nvidia-uvm"))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::launch::samples::refused;
    use crate::checks::shared::nodes::{CONTROL, EPERM};
    use crate::checks::testing::{lines, passes, problem};
    use crate::facts::sample::Sample;

    fn stale(sample: Sample) -> Sample {
        sample.host(|host| {
            host.nodes.iter_mut().filter(|node| node.path == UVM).for_each(|node| node.major = 510);
        })
    }

    #[test]
    fn the_node_is_older_than_the_driver() {
        let problem = problem(judge(&stale(refused(1, &[UVM], EPERM)).facts()));
        assert_eq!(problem.cause, "/dev/nvidia-uvm has major number 510, but the running driver has 511.");
        assert_eq!(problem.path.as_deref(), Some(UVM));
        assert_eq!(lines(&problem), ["/proc/devices: 511 nvidia-uvm"]);
    }

    #[test]
    fn the_number_is_right_or_not_the_reason() {
        let right = refused(1, &[UVM], EPERM);
        let all_refused = stale(refused(1, &[UVM, CONTROL], EPERM));
        let works = stale(Sample::machine(1));
        let unlisted = stale(refused(1, &[UVM], EPERM)).host(|host| host.majors.clear());
        for sample in [right, all_refused, works, unlisted] {
            assert!(passes(judge(&sample.facts())));
        }
    }
}
