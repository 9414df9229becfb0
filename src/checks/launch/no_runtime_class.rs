//! Kubernetes assigned a GPU to the pod, but the pod's container runtime did not inject it.

use crate::checks::shared::access::{
    NOT_INJECTED_CONSEQUENCES, gpu_answered, no_gpu_expected, nvidia_visible_devices,
};
use crate::checks::shared::nodes::has_driver_nodes;
use crate::checks::shared::platform::engine;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.no-runtime-class",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The pod's runtime did not inject its GPU",
    why: "The device plugin assigned GPUs to this container in NVIDIA_VISIBLE_DEVICES, but neither device nodes nor \
          driver libraries are in it: the pod does not run under the NVIDIA Container Runtime.",
    remedy: "Add `runtimeClassName: nvidia` to the pod (or make nvidia the default_runtime_name of containerd on the \
             node)",
    explains: NOT_INJECTED_CONSEQUENCES,
    codes: &[(Library::Runtime, 35), (Library::Nvml, 12)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if let Some(why) = no_gpu_expected(facts) {
        return Outcome::Skip(why);
    }
    if engine(facts) != Some("kubernetes") || has_driver_nodes(facts) || gpu_answered(facts) {
        return Outcome::Pass;
    }
    // The device plugin names GPUs by UUID; other values come from the image.
    let assigned =
        nvidia_visible_devices(facts).filter(|value| value.contains("GPU-") || value.contains("MIG-"));
    let problem = assigned.map(|value| {
        Problem::new("NVIDIA_VISIBLE_DEVICES names the pod's GPU, but the container has no device node.")
            .evidence(format!("NVIDIA_VISIBLE_DEVICES={value}"))
            .evidence("no node /dev/nvidia*")
    });
    problem.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::launch::samples::{not_injected, silent, without_nodes};
    use crate::checks::testing::{lines, passes, problem};
    use crate::facts::sample::Sample;

    const UUID: &str = "GPU-00000000-0000-0000-0000-000000000000";

    fn pod(sample: Sample, visible: &str) -> Sample {
        sample
            .host(|host| host.platform.container = Some("kubernetes".into()))
            .env("NVIDIA_VISIBLE_DEVICES", visible)
    }

    #[test]
    fn a_gpu_was_assigned_and_not_injected() {
        for visible in [UUID, "MIG-00000000-0000-0000-0000-000000000000"] {
            let problem = problem(judge(&pod(not_injected(), visible).facts()));
            assert_eq!(lines(&problem)[0], format!("NVIDIA_VISIBLE_DEVICES={visible}"));
        }
    }

    #[test]
    fn nothing_was_assigned_or_it_was_injected() {
        assert!(passes(judge(&pod(not_injected(), "all").facts())), "the image sets this");
        for sample in [silent(), without_nodes()] {
            assert!(passes(judge(&pod(sample, UUID).facts())));
        }
        assert!(passes(judge(&not_injected().env("NVIDIA_VISIBLE_DEVICES", UUID).facts())), "not a pod");
    }
}
