//! A GPU waits for a reset to replace failing memory.

use crate::checks::{Check, Outcome};
use crate::checks::device::health;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.reset-pending",
    severity: Severity::Warning,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A GPU waits for a reset to replace failing memory",
    why: "Failing rows or pages were found and are replaced at the next reset.",
    remedy: "Drain the node when it suits, then reset the GPU.",
    explains: &[],
    codes: &[(Family::Nvml, 16)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    health(facts, |gpu| {
        let rows = gpu.remapped_rows.known().is_some_and(|rows| rows.pending);
        let pages = gpu.retired_pages_pending.known() == Some(&true);
        (rows || pages).then(|| "failing memory is replaced at the next reset.".to_owned())
    })
}
