//! A GPU uses fewer PCIe lanes than it has.

use crate::checks::{Check, Outcome};
use crate::checks::device::health;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.pcie",
    severity: Severity::Warning,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A GPU uses fewer PCIe lanes than it has",
    why: "The link came up narrower than both ends allow, which halves the speed of copies with each step. A lower \
          generation is normal while the GPU is idle and is not told.",
    remedy: "On the host: reseat the card or its riser, look at the BIOS settings of the slot, and at dmesg | grep -i \
             pcie. Some slots have fewer lanes than the card: then accept the finding in the configuration",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    health(facts, |gpu| {
        // One lane of generation 1 is what integrated GPUs say of a link that they do not have.
        let width = gpu.pcie_width.known().filter(|width| width.current > 1 && width.current < width.max)?;
        Some(format!("{} of {} lanes are in use.", width.current, width.max))
    })
}
