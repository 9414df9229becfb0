//! NVIDIA_VISIBLE_DEVICES tells the container runtime to inject no GPU.

use crate::checks::shared::access::{
    NOT_INJECTED_CONSEQUENCES, gpu_answered, host_has_driver, no_gpu_expected, nvidia_visible_devices,
};
use crate::checks::shared::nodes::has_driver_nodes;
use crate::checks::shared::platform::{PODMAN_RUN, engine, is_wsl_or_jetson};
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.no-gpu-selected",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "NVIDIA_VISIBLE_DEVICES selects no GPU for this container",
    why: "With 'none', the container gets the driver libraries and no GPU; with 'void' or an empty value it gets \
          nothing at all. The image or a Compose file may set the variable. Where GPUs are injected through CDI, the \
          value is always 'void' and has no effect: there the device nodes are in the container.",
    remedy: "`docker run --gpus all -e NVIDIA_VISIBLE_DEVICES=all ...`",
    explains: NOT_INJECTED_CONSEQUENCES,
    codes: &[(Library::Driver, 100), (Library::Runtime, 35)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if let Some(why) = no_gpu_expected(facts) {
        return Outcome::Skip(why);
    }
    let none = nvidia_visible_devices(facts).filter(|value| matches!(*value, "none" | "void" | ""));
    let Some(value) = none else { return Outcome::Pass };
    let has_gpu_node = facts.host.nodes.iter().any(|node| node.is_gpu());
    if has_gpu_node || is_wsl_or_jetson(facts) || gpu_answered(facts) {
        return Outcome::Pass;
    }
    // Without a driver on the host, no value helps.
    if !host_has_driver(facts) {
        return Outcome::Pass;
    }
    let missing = if has_driver_nodes(facts) { "GPU" } else { "NVIDIA" };
    let problem = Problem::new(format!(
        "NVIDIA_VISIBLE_DEVICES is '{value}', and the container has no {missing} device node."
    ))
    .evidence(format!("NVIDIA_VISIBLE_DEVICES={value}"));
    let problem = match engine(facts) {
        Some("kubernetes") => problem.remedy(
            "Remove NVIDIA_VISIBLE_DEVICES from the pod's env, and request the GPU: resources.limits \
             nvidia.com/gpu: 1",
        ),
        Some("podman") => problem.remedy(PODMAN_RUN),
        _ => problem,
    };
    Some(problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::launch::samples::{not_injected, silent, without_nodes};
    use crate::checks::shared::nodes::CONTROL;
    use crate::checks::testing::{passes, problem};
    use crate::facts::host::Node;
    use crate::facts::sample::Sample;

    fn given(value: &str) -> Sample {
        not_injected().env("NVIDIA_VISIBLE_DEVICES", value)
    }

    #[test]
    fn values_that_select_nothing() {
        for value in ["none", "void", ""] {
            let problem = problem(judge(&given(value).facts()));
            assert!(problem.cause.starts_with(&format!("NVIDIA_VISIBLE_DEVICES is '{value}'")));
        }
        assert!(passes(judge(&given("all").facts())));
        let unset = not_injected().host(|host| host.environment.clear());
        assert!(passes(judge(&unset.facts())));
    }

    #[test]
    fn the_missing_nodes_are_named() {
        let node = Node { path: CONTROL.into(), mode: 0o666, uid: 0, gid: 0, major: 195, minor: 255 };
        let control_only = problem(judge(&given("none").host(|host| host.nodes.push(node)).facts()));
        assert!(control_only.cause.contains("no GPU device node"), "{}", control_only.cause);
        let nothing = problem(judge(&given("none").facts()));
        assert!(nothing.cause.contains("no NVIDIA device node"), "{}", nothing.cause);
    }

    #[test]
    fn void_means_nothing_where_the_gpu_came_another_way() {
        for sample in [silent(), without_nodes(), not_injected().host(|host| host.platform.wsl = true)] {
            assert!(passes(judge(&sample.env("NVIDIA_VISIBLE_DEVICES", "void").facts())));
        }
    }

    #[test]
    fn without_a_driver_on_the_host_the_value_is_not_the_cause() {
        let facts = given("none").host(|host| {
            host.module = None;
            host.majors.clear();
        });
        assert!(passes(judge(&facts.facts())));
    }

    #[test]
    fn the_remedy_is_for_the_engine() {
        let remedy = |engine: &str| {
            let sample = given("void").host(|host| host.platform.container = Some(engine.into()));
            problem(judge(&sample.facts())).remedy
        };
        assert!(remedy("kubernetes").unwrap().contains("resources.limits"));
        assert_eq!(remedy("podman").as_deref(), Some(PODMAN_RUN));
        assert_eq!(remedy("docker"), None);
    }
}
