//! The limit of virtual memory is too low for CUDA.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::limits::failed_with;
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::probe::{ProbeRun, free_memory};
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "launch.address-space",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The limit of virtual memory is too low for CUDA",
    why: "The driver reserves address space for all memory of the machine and of its GPUs, far more than it uses. \
          With a finite RLIMIT_AS that fails, and CUDA says that it is out of memory while the GPU is empty.",
    remedy: "docker run --ulimit as=-1 ...   (in a shell: ulimit -v unlimited)",
    explains: &["driver.init", "device.context", "device.busy", "probe.nothing-verified"],
    codes: &[(Family::Driver, 2), (Family::Runtime, 2)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(limit) = facts.host.limits.address_space else { return Outcome::Pass };
    let Some((run, phrase)) = failed_with(facts, 2) else { return Outcome::Pass };
    // A GPU without free memory says the same, and means it.
    let device = facts
        .probes
        .iter()
        .flat_map(ProbeRun::devices)
        .find(|device| run.target == crate::facts::probe::Target::Gpu(device.ordinal));
    let free = device.and_then(|device| free_memory(&facts.probes, device));
    let at_context = run.fault(Stage::DriverInit).is_none();
    if free.is_some_and(|free| free < 1 << 30) || free.is_none() && at_context {
        return Outcome::Pass;
    }
    let cause = format!("RLIMIT_AS is {:.1} GB, and CUDA cannot reserve address space.", limit as f64 / 1e9);
    Some(Problem::new(cause).evidence(phrase).gpu(facts.gpu_of_run(run))).into()
}
