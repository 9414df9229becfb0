//! The host kernel has no NVIDIA driver.

use crate::checks::shared::access::{
    NO_DRIVER_CONSEQUENCES, gpu_answered, host_has_driver, no_gpu_expected, real_libcuda,
};
use crate::checks::shared::nodes::{ENODEV, ENXIO, has_driver_nodes, open_attempts};
use crate::checks::shared::platform::is_wsl_or_jetson;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.driver-not-loaded",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "No NVIDIA driver is loaded on this machine",
    why: "The kernel module reports its version in /proc/driver/nvidia/version and is listed in /proc/devices. If \
          neither is there, no driver is loaded, and no container flag can provide a GPU: the machine has none, or \
          its driver is not installed, was not rebuilt for the running kernel, or is blocked (Secure Boot, nouveau).",
    remedy: "Run `nvidia-smi` on the host. If that fails as well, install or reload the driver there (`sudo modprobe \
             nvidia`), or run the container on a machine with a GPU",
    explains: NO_DRIVER_CONSEQUENCES,
    codes: &[(Library::Nvml, 9)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if let Some(why) = no_gpu_expected(facts) {
        return Outcome::Skip(why);
    }
    if host_has_driver(facts) || is_wsl_or_jetson(facts) || gpu_answered(facts) {
        return Outcome::Pass;
    }
    // As root, the driver libraries create device nodes even without a driver, so nodes do not indicate one.
    let answers = |errno| !matches!(errno, Some(ENXIO | ENODEV));
    let tried = open_attempts(facts).next().is_some();
    let dead = tried && !open_attempts(facts).any(|(_, errno)| answers(errno));
    let mut problem = match (has_driver_nodes(facts), dead) {
        (true, false) => return Outcome::Pass,
        (true, true) => Problem::new("The kernel has no NVIDIA module, and the device nodes have no driver.")
            .evidence("open /dev/nvidia*: ENXIO or ENODEV"),
        (false, _) => Problem::new("The kernel has no NVIDIA module, and there is no /dev/nvidia* node.")
            .evidence("no node /dev/nvidia*"),
    };
    problem = problem
        .file("/proc/driver/nvidia/version", " does not exist")
        .file("/proc/devices", " lists no nvidia driver");
    if real_libcuda(facts).is_none() {
        problem = problem.evidence("no libcuda.so.1 in the file system");
    }
    Some(problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::launch::samples::{not_injected, refused};
    use crate::checks::shared::nodes::EPERM;
    use crate::checks::testing::{lines, passes, problem, skips};
    use crate::facts::sample::{Sample, copy};

    fn unload(sample: Sample) -> Sample {
        sample.host(|host| {
            host.module = None;
            host.majors.clear();
        })
    }

    #[test]
    fn no_module_and_no_nodes() {
        let problem = problem(judge(&unload(not_injected()).facts()));
        assert!(problem.cause.contains("no /dev/nvidia* node"), "{}", problem.cause);
        assert!(lines(&problem).contains(&"no libcuda.so.1 in the file system"));
    }

    #[test]
    fn a_libcuda_of_the_image_is_not_reported_missing() {
        let libcuda = copy("libcuda", "/usr/lib/libcuda.so.1", "");
        let problem = problem(judge(&unload(not_injected()).copy(libcuda).facts()));
        assert!(!lines(&problem).iter().any(|line| line.contains("libcuda")));
    }

    #[test]
    fn nodes_that_nothing_answers_are_no_driver() {
        let all = ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0"];
        let dead = problem(judge(&unload(refused(1, &all, ENXIO)).facts()));
        assert!(dead.cause.contains("have no driver"), "{}", dead.cause);
        assert!(passes(judge(&unload(refused(1, &all, EPERM)).facts())), "a driver may be behind these");
        assert!(passes(judge(&unload(refused(1, &all[1..], ENXIO)).facts())), "one node answers");
    }

    #[test]
    fn any_sign_of_a_driver_passes() {
        let module = not_injected().host(|host| host.majors.clear());
        let majors = not_injected().host(|host| host.module = None);
        let wsl = unload(not_injected()).host(|host| host.platform.wsl = true);
        for sample in [module, majors, wsl, unload(Sample::machine(1))] {
            assert!(passes(judge(&sample.facts())));
        }
        assert!(skips(judge(&Sample::image().facts())));
    }
}
