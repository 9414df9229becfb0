//! Memory of a GPU is in use by processes that cannot be seen from here.

use crate::checks::{Check, Outcome};
use crate::checks::device::health;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

/// What a driver holds of an idle GPU is less.
const IDLE: u64 = 2 << 30;

pub const CHECK: Check = Check {
    id: "device.memory-unaccounted",
    severity: Severity::Note,
    owner: Owner::Nobody,
    fix: Fix::Wait,
    title: "Memory of a GPU is in use by processes that cannot be seen from here",
    why: "NVML lists no process and much of the memory is taken: by processes of other containers, whose numbers this \
          container does not see, or by one that died and left its context behind.",
    remedy: "On the host: sudo fuser -v /dev/nvidia*   names the processes; nvidia-smi shows what they hold",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    health(facts, |gpu| {
        let used = *gpu.memory_used.known()?;
        let nobody = gpu.compute_processes.known() == Some(&0) && gpu.mig_enabled.known() != Some(&true);
        (nobody && used > IDLE)
            .then(|| format!("{:.1} GB are in use, and no process is listed.", used as f64 / 1e9))
    })
}
