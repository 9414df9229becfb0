//! NVIDIA_VISIBLE_DEVICES selects no GPU.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::access::{NOT_BROUGHT, answered, expects_gpu, has_nodes, is_gpu_node, other_platform, visible};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.no-gpu-selected",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "NVIDIA_VISIBLE_DEVICES selects no GPU",
    why: "With 'none' the container gets the driver's libraries and no GPU; with 'void' or an empty value it gets \
          nothing at all. An image or a Compose file may set it. Where GPUs come through CDI the value is always \
          'void' and means nothing: there the nodes are in the container.",
    remedy: "docker run --gpus all -e NVIDIA_VISIBLE_DEVICES=all ...",
    explains: NOT_BROUGHT,
    codes: &[(Family::Driver, 100), (Family::Runtime, 35)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if !expects_gpu(facts) {
        return Outcome::Skip("nothing was to be run, or nothing could be opened");
    }
    let gpu_node = facts.host.nodes.iter().any(|node| is_gpu_node(&node.path));
    let none = visible(facts).filter(|value| matches!(*value, "none" | "void" | ""));
    let Some(value) = none.filter(|_| !gpu_node && !other_platform(facts) && !answered(facts)) else {
        return Outcome::Pass;
    };
    // Without a driver on the machine no value would help.
    if facts.host.module.is_none() && facts.host.majors.is_empty() {
        return Outcome::Pass;
    }
    let what = if has_nodes(facts) { "no node of a GPU" } else { "no node of the driver" };
    let problem =
        Problem::new(format!("NVIDIA_VISIBLE_DEVICES is '{value}', and {what} is in the container."))
            .evidence(format!("NVIDIA_VISIBLE_DEVICES={value}"));
    let problem = match facts.host.platform.container.as_deref() {
        Some("kubernetes") => problem.remedy(
            "Take NVIDIA_VISIBLE_DEVICES out of the pod's env, and request the GPU: resources.limits nvidia.com/gpu: 1",
        ),
        Some("podman") => problem.remedy("podman run --device nvidia.com/gpu=all ..."),
        _ => problem,
    };
    Some(problem).into()
}
