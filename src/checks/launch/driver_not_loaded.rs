//! No NVIDIA driver is loaded on this machine.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::access::{ALL_BEYOND, ENODEV, ENXIO, answered, expects_gpu, has_nodes, libcuda, opened, other_platform};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.driver-not-loaded",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "No NVIDIA driver is loaded on this machine",
    why: "The kernel module tells its version in /proc/driver/nvidia/version and has its name in /proc/devices. Where \
          neither shows, there is no driver, and no flag of the container can bring a GPU: the machine has none, or \
          its driver is not installed, was not rebuilt for the running kernel, or is blocked (Secure Boot, nouveau).",
    remedy: "Run `nvidia-smi` on the host. If that fails as well, install or reload the driver there (`sudo \
             modprobe nvidia`), or run the container on a machine with a GPU.",
    explains: ALL_BEYOND,
    codes: &[(Family::Nvml, 9)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if !expects_gpu(facts) {
        return Outcome::Skip("nothing was to be run, or nothing could be opened");
    }
    let nodes = has_nodes(facts);
    // Run as root, the driver's own libraries make nodes that nothing answers: those are no sign of it.
    let answers = |errno| !matches!(errno, Some(ENXIO | ENODEV));
    let dead = nodes && opened(facts).count() > 0 && !opened(facts).any(|(_, errno)| answers(errno));
    // The kernel lists its drivers even where the module's own files are hidden.
    let listed = !facts.host.majors.is_empty();
    if facts.host.module.is_some() || listed || other_platform(facts) || answered(facts) || (nodes && !dead) {
        return Outcome::Pass;
    }
    let mut problem = if dead {
        Problem::new(
            "The kernel has no NVIDIA module, and nothing answers behind the device nodes that are there.",
        )
        .evidence("opening /dev/nvidia* fails with ENXIO or ENODEV")
    } else {
        Problem::new("The kernel has no NVIDIA module, and there is no /dev/nvidia* node.")
            .evidence("no node /dev/nvidia*")
    };
    problem = problem.evidence("/proc/driver/nvidia/version does not exist");
    problem = problem.evidence("/proc/devices lists no nvidia driver");
    if libcuda(facts).is_none() {
        problem = problem.evidence("no libcuda.so.1 in the file system");
    }
    Some(problem).into()
}
