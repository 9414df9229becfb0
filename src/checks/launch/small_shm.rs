//! /dev/shm is too small for several GPUs.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

/// What Docker gives when nobody says anything.
const DOCKERS_OWN: u64 = 64 << 20;

pub const CHECK: Check = Check {
    id: "launch.small-shm",
    severity: Severity::Warning,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "/dev/shm is too small for several GPUs",
    why: "NCCL and the loaders of PyTorch pass data between processes through /dev/shm, of which Docker gives 64 MiB. \
          With more than one GPU that runs out: No space left on device, or a bus error.",
    remedy: "docker run --shm-size=1g ...   or --ipc=host; Kubernetes: an emptyDir with medium: Memory at /dev/shm",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(bytes) = facts.host.limits.shared_memory else { return Outcome::Pass };
    let gpus = facts.probes.iter().find_map(|run| run.driver().next()).map_or(0, |driver| driver.devices);
    if gpus < 2 || bytes > DOCKERS_OWN || facts.host.platform.container.is_none() {
        return Outcome::Pass;
    }
    let cause = format!("/dev/shm has {} MiB, and there are {gpus} GPUs.", bytes >> 20);
    Some(Problem::new(cause)).into()
}
