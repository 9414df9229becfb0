//! CUDA sees no GPU.

use crate::checks::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "driver.no-devices",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "CUDA sees no GPU",
    why: "The driver works and lists no device. Usually CUDA_VISIBLE_DEVICES names none that exists: enumeration \
          stops at the first entry that is wrong, and inside a container GPUs are numbered from 0 again. A GPU \
          with MIG enabled and no instance is not listed either.",
    remedy: "Unset CUDA_VISIBLE_DEVICES: the container has only its own GPUs anyway",
    explains: &["probe.nothing-verified"],
    codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let none = facts.probes.iter().any(|run| run.driver().any(|driver| driver.devices == 0));
    if !none {
        return Outcome::Pass;
    }
    let mut problem = Problem::new("cuInit succeeded, and cuDeviceGetCount says 0.");
    if let Some(nvml) = facts.probes.iter().find_map(|run| run.nvml().next()) {
        problem = problem.evidence(format!("NVML sees {} GPUs", nvml.gpus));
    }
    if let Some(value) = facts.host.environment.get("CUDA_VISIBLE_DEVICES") {
        problem = problem.evidence(format!("CUDA_VISIBLE_DEVICES={value}"));
    }
    Some(problem).into()
}
