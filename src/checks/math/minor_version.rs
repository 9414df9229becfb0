//! The runtime is newer than the driver, within one major version.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::math::{each, versions};
use crate::checks::shared::faults::cuda;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "math.minor-version",
    severity: Severity::Note,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The runtime is newer than the driver, within one major version",
    why: "CUDA allows that (minor-version compatibility). Code that is only PTX, or needs a feature of the newer \
          driver, fails all the same.",
    remedy: "Nothing to do, unless an application fails with error 222 or 36: then upgrade the driver.",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let (runtime, driver) = versions(run)?;
        let newer = runtime > driver && runtime / 1000 == driver / 1000;
        newer.then(|| {
            Problem::new(format!(
                "the runtime is CUDA {}, the driver supports {}.",
                cuda(runtime),
                cuda(driver)
            ))
        })
    })
}
