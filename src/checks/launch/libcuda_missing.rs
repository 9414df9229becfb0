//! The driver library libcuda.so.1 is not in the container.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::access::{cuda_works, expects_gpu, has_nodes, libcuda};
use crate::checks::shared::loading::libcuda_loaded;
use crate::facts::Facts;
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.libcuda-missing",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The driver library libcuda.so.1 is not in the container",
    why: "libcuda belongs to the host's driver, and the container runtime brings it for the capability \
          'compute'. A list of capabilities without it gives a container in which nvidia-smi works and CUDA does \
          not.",
    remedy: "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...   (Compose: \
             capabilities: [gpu]; Dockerfile: ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility)",
    explains: &["driver.load", "probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if !expects_gpu(facts) {
        return Outcome::Skip("nothing was to be run, or nothing could be opened");
    }
    if !(has_nodes(facts) || facts.host.module.is_some())
        || libcuda(facts).is_some()
        || facts.host.driver_files.iter().any(|file| file.path.contains("libcuda.so"))
        || !libcuda_loaded(facts).is_empty()
        || cuda_works(facts)
        || facts.request.level == Level::Nvml
    {
        return Outcome::Pass;
    }
    let mut problem = Problem::new("No libcuda.so.1 of a driver is anywhere in the file system.")
        .evidence("no file libcuda.so.* but stubs");
    if let Some(value) = facts.host.environment.get("NVIDIA_DRIVER_CAPABILITIES") {
        problem = problem.evidence(format!("NVIDIA_DRIVER_CAPABILITIES={value}"));
    }
    Some(problem).into()
}
