//! Memory rows of a GPU could not be replaced.

use crate::checks::{Check, Outcome};
use crate::checks::device::health;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.row-remap",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "Memory rows of a GPU could not be replaced",
    why: "The GPU found failing rows in its memory and has no spare ones left for them.",
    remedy: "Have the GPU replaced.",
    explains: &[],
    codes: &[(Family::Driver, 214)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    health(facts, |gpu| {
        let rows = gpu.remapped_rows.known()?;
        rows.failed.then(|| format!("row remapping failed after {} uncorrectable rows.", rows.uncorrectable))
    })
}
