//! A MIG instance was requested, but its capability nodes are not in the container.

use crate::checks::shared::access::cuda_works;
use crate::checks::shared::nodes::NO_NODES_CONSEQUENCES;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::facts::event::Fault;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "launch.mig-caps",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The container has no access to its MIG instance",
    why: "Each MIG instance has a device node in /dev/nvidia-caps, in addition to the node of its GPU. Without it the \
          driver denies access to the instance, although the GPU is visible.",
    remedy: "`docker run --gpus '\"device=MIG-UUID\"' ...` with a current NVIDIA Container Toolkit (`nvidia-smi -L` on \
             the host lists the UUIDs)",
    explains: NO_NODES_CONSEQUENCES,
    codes: &[(Library::Nvml, 4)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let requested = facts.host.environment.iter().any(|(name, value)| {
        matches!(name.as_str(), "NVIDIA_VISIBLE_DEVICES" | "CUDA_VISIBLE_DEVICES") && value.contains("MIG-")
    });
    let has_caps = facts.host.nodes.iter().any(|node| node.path.starts_with("/dev/nvidia-caps/"));
    if !requested || has_caps || cuda_works(facts) || !is_denied(facts) {
        return Outcome::Pass;
    }
    let problem = Problem::new("A MIG instance was requested, but /dev/nvidia-caps has no device node.")
        .evidence("no node /dev/nvidia-caps/nvidia-cap*");
    Some(problem).into()
}

/// CUDA cannot initialize or lists no device, or NVML returned NVML_ERROR_NO_PERMISSION.
fn is_denied(facts: &Facts) -> bool {
    let no_permission = |fault: &Fault| fault.code == Some(4);
    facts.probes.iter().any(|run| {
        run.fault(Stage::DriverInit).is_some()
            || run.driver().any(|driver| driver.devices == 0)
            || [Stage::NvmlInit, Stage::NvmlDevice]
                .iter()
                .any(|stage| run.fault(*stage).is_some_and(no_permission))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{passes, problem};
    use crate::facts::event::{Api, Event};
    use crate::facts::host::Node;
    use crate::facts::sample::{Sample, fault, of_api};

    const MIG: &str = "MIG-00000000-0000-0000-0000-000000000000";

    fn failing() -> Sample {
        Sample::machine(1).fault(None, Stage::DriverInit, fault("cuInit", 100))
    }

    #[test]
    fn any_denial_counts() {
        let no_device = Sample::machine(1).run(None, |run| {
            for event in &mut run.events {
                if let Event::Driver(driver) = event {
                    driver.devices = 0;
                }
            }
        });
        let no_cuda = |sample: Sample| {
            sample.run(None, |run| run.events.retain(|event| !matches!(event, Event::Driver(_))))
        };
        let nvml = |code| {
            let fault = of_api(Api::Nvml, "nvmlDeviceGetMigDeviceHandleByIndex", code);
            no_cuda(Sample::machine(1).fault(None, Stage::NvmlDevice, fault))
        };
        for sample in [failing(), no_device, nvml(4)] {
            let facts = sample.env("NVIDIA_VISIBLE_DEVICES", MIG).facts();
            assert!(problem(judge(&facts)).cause.contains("/dev/nvidia-caps"));
        }
        assert!(passes(judge(&nvml(3).env("NVIDIA_VISIBLE_DEVICES", MIG).facts())));
    }

    #[test]
    fn either_variable_requests_an_instance() {
        assert!(!passes(judge(&failing().env("CUDA_VISIBLE_DEVICES", MIG).facts())));
        assert!(passes(judge(&failing().facts())));
    }

    #[test]
    fn with_its_nodes_or_where_cuda_works_access_is_not_the_problem() {
        let cap = Node {
            path: "/dev/nvidia-caps/nvidia-cap66".into(),
            mode: 0o444,
            uid: 0,
            gid: 0,
            major: 236,
            minor: 66,
        };
        let with_node = failing().host(|host| host.nodes.push(cap));
        for sample in [with_node, Sample::machine(1)] {
            assert!(passes(judge(&sample.env("NVIDIA_VISIBLE_DEVICES", MIG).facts())));
        }
    }
}
