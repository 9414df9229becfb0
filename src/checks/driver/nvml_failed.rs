//! NVML does not work.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::driver::nvml_fault;
use crate::checks::shared::faults::phrase;
use crate::facts::Facts;
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "driver.nvml-failed",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "NVML does not work",
    why: "At this level NVML is all that is asked, and it did not answer. Number 18 says that library and kernel \
          module are of different versions, 9 that no driver is loaded, 999 that device nodes cannot be opened, \
          4 that they may not be.",
    remedy: "Recreate the container, so that it gets the libraries and nodes of the driver that runs now",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.request.level != Level::Nvml {
        return Outcome::Skip("driver.nvml speaks of it");
    }
    nvml_fault(facts).map(|fault| Problem::new(phrase(fault))).into()
}
