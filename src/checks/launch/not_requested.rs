//! The host has a driver, but nothing of it was injected into the container.

use crate::checks::shared::access::{NO_DRIVER_CONSEQUENCES, gpu_answered, host_has_driver, no_gpu_expected};
use crate::checks::shared::nodes::has_driver_nodes;
use crate::checks::shared::platform::{PODMAN_RUN, engine, has_dxg, is_wsl_or_jetson};
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.not-requested",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "This container was started without a GPU",
    why: "The driver is loaded on the host, but neither its device nodes nor its libraries are in the container: no \
          GPU was requested when it was started, or it does not run under the NVIDIA Container Runtime.",
    remedy: "`docker run --gpus all ...` (Compose: deploy.resources.reservations.devices with capabilities: [gpu]; \
             Kubernetes: resources.limits nvidia.com/gpu: 1, with runtimeClassName: nvidia)",
    explains: NO_DRIVER_CONSEQUENCES,
    codes: &[(Library::Runtime, 35), (Library::Nvml, 12)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if let Some(why) = no_gpu_expected(facts) {
        return Outcome::Skip(why);
    }
    if has_driver_nodes(facts) || gpu_answered(facts) {
        return Outcome::Pass;
    }
    if facts.host.platform.wsl && !has_dxg(facts) {
        let cause = "This is WSL, and the container does not have /dev/dxg, the node of the GPU.";
        return Some(Problem::new(cause).evidence("no node /dev/dxg")).into();
    }
    if is_wsl_or_jetson(facts) || !host_has_driver(facts) {
        return Outcome::Pass;
    }
    let version = facts.host.module.as_ref().and_then(|module| module.version.as_deref());
    let driver = version.map_or("a driver".to_owned(), |version| format!("driver {version}"));
    let mut problem =
        Problem::new(format!("The host has {driver} loaded, but the container has no NVIDIA device node."))
            .evidence("no node /dev/nvidia*");
    problem = match version {
        Some(version) => problem.file("/proc/driver/nvidia/version", &format!(": {version}")),
        None => problem.file("/proc/devices", " lists the nvidia driver"),
    };
    for name in ["NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"] {
        if let Some(value) = facts.host.environment.get(name) {
            problem = problem.evidence(format!("{name}={value}"));
        }
    }
    let problem = match engine(facts) {
        Some("podman") => problem.remedy(PODMAN_RUN),
        Some("kubernetes") => problem.remedy(
            "Give the pod resources.limits nvidia.com/gpu: 1 and, where the NVIDIA runtime is not the default, \
             runtimeClassName: nvidia",
        ),
        _ => problem,
    };
    Some(problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::launch::samples::{not_injected, silent, without_nodes};
    use crate::checks::testing::{lines, passes, problem};

    #[test]
    fn a_driver_on_the_host_and_nothing_in_the_container() {
        let problem = problem(judge(&not_injected().facts()));
        assert!(problem.cause.starts_with("The host has driver 550.54.15 loaded"), "{}", problem.cause);
        assert!(lines(&problem).contains(&"/proc/driver/nvidia/version: 550.54.15"));
        assert!(lines(&problem).contains(&"NVIDIA_VISIBLE_DEVICES=all"));
    }

    #[test]
    fn a_driver_whose_module_is_hidden() {
        let problem = problem(judge(&not_injected().host(|host| host.module = None).facts()));
        assert!(lines(&problem).contains(&"/proc/devices lists the nvidia driver"));
    }

    #[test]
    fn the_remedy_is_for_the_engine() {
        let remedy = |engine: &str| {
            let sample = not_injected().host(|host| host.platform.container = Some(engine.into()));
            problem(judge(&sample.facts())).remedy
        };
        assert!(remedy("kubernetes").unwrap().contains("runtimeClassName"));
        assert_eq!(remedy("podman").as_deref(), Some(PODMAN_RUN));
        assert_eq!(remedy("docker"), None);
    }

    #[test]
    fn wsl_needs_its_own_node() {
        let facts = not_injected().host(|host| {
            host.platform.wsl = true;
            host.module = None;
            host.majors.clear();
        });
        assert!(problem(judge(&facts.facts())).cause.contains("/dev/dxg"));
    }

    #[test]
    fn without_a_driver_or_with_nodes_it_is_something_else() {
        let no_driver = not_injected().host(|host| {
            host.module = None;
            host.majors.clear();
        });
        let jetson = not_injected().host(|host| host.platform.jetson = true);
        for sample in [no_driver, jetson, silent(), without_nodes()] {
            assert!(passes(judge(&sample.facts())));
        }
    }
}
