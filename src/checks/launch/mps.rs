//! The MPS daemon cannot be reached.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::limits::failed_with;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.mps",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The MPS daemon cannot be reached",
    why: "The environment or the GPU's mode makes CUDA a client of the Multi-Process Service, and its daemon does \
          not answer: its pipes are not in the container, or it runs as another user or in another IPC namespace.",
    remedy: "docker run --ipc=host -v /tmp/nvidia-mps:/tmp/nvidia-mps ...   as the daemon's user, or unset \
             CUDA_MPS_PIPE_DIRECTORY to do without MPS",
    explains: &["driver.init", "device.context", "probe.nothing-verified"],
    codes: &[(Family::Driver, 805), (Family::Runtime, 805)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some((run, phrase)) = failed_with(facts, 805) else { return Outcome::Pass };
    let named = facts.host.environment.get("CUDA_MPS_PIPE_DIRECTORY");
    let place = named.map_or("/tmp/nvidia-mps", String::as_str);
    let cause = if facts.host.platform.mps {
        format!("The pipes of MPS are in {place}, and no daemon answers there.")
    } else {
        format!("CUDA looks for the daemon of MPS in {place}, which does not exist here.")
    };
    Some(Problem::new(cause).evidence(phrase).gpu(facts.gpu_of_run(run))).into()
}
