//! A container with several GPUs has Docker's default /dev/shm, or less.

use crate::checks::shared::access::cuda_device_count;
use crate::checks::shared::platform::engine;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

/// The size of /dev/shm without --shm-size.
const DOCKER_DEFAULT: u64 = 64 << 20;

pub const CHECK: Check = Check {
    id: "launch.small-shm",
    severity: Severity::Warning,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "/dev/shm is too small for several GPUs",
    why: "NCCL and the data loaders of PyTorch pass data between processes through /dev/shm, which is 64 MiB by \
          default in Docker. With more than one GPU that runs out: No space left on device, or a bus error.",
    remedy: "`docker run --shm-size=1g ...`, or --ipc=host (Kubernetes: an emptyDir with medium: Memory at /dev/shm)",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(bytes) = facts.host.limits.shared_memory else { return Outcome::Pass };
    let gpus = cuda_device_count(facts);
    if gpus < 2 || bytes > DOCKER_DEFAULT || engine(facts).is_none() {
        return Outcome::Pass;
    }
    let cause = format!("/dev/shm has {} MiB, and CUDA lists {gpus} GPUs.", bytes >> 20);
    Some(Problem::new(cause).at("/dev/shm")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{passes, problem};
    use crate::facts::sample::Sample;

    fn container(gpus: u32, shm: u64) -> Sample {
        Sample::machine(gpus).host(|host| {
            host.platform.container = Some("docker".into());
            host.limits.shared_memory = Some(shm);
        })
    }

    #[test]
    fn the_default_of_docker_with_two_gpus() {
        let problem = problem(judge(&container(2, DOCKER_DEFAULT).facts()));
        assert_eq!(problem.cause, "/dev/shm has 64 MiB, and CUDA lists 2 GPUs.");
        assert_eq!(problem.path.as_deref(), Some("/dev/shm"));
    }

    #[test]
    fn one_gpu_more_memory_or_no_container() {
        let bare = container(2, DOCKER_DEFAULT).host(|host| host.platform.container = None);
        for sample in [container(1, DOCKER_DEFAULT), container(2, DOCKER_DEFAULT + 1), bare] {
            assert!(passes(judge(&sample.facts())));
        }
    }
}
