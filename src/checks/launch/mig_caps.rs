//! The container has no access to its MIG instance.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::access::cuda_works;
use crate::checks::shared::nodes::BEYOND;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
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
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let of_mig = facts.host.environment.iter().any(|(name, value)| {
        matches!(name.as_str(), "NVIDIA_VISIBLE_DEVICES" | "CUDA_VISIBLE_DEVICES") && value.contains("MIG-")
    });
    let has_caps = facts.host.nodes.iter().any(|node| node.path.starts_with("/dev/nvidia-caps/"));
    if !of_mig || has_caps || cuda_works(facts) {
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
