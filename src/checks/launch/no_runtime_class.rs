//! The pod has a GPU, and its runtime did not bring it.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::access::{NOT_BROUGHT, answered, expects_gpu, has_nodes, visible};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
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
    judge,
};

fn judge(facts: &Facts) -> Outcome {
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
