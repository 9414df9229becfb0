//! Uncorrected memory errors since the driver was loaded.

use crate::checks::{Check, Outcome};
use crate::checks::device::health;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.ecc",
    severity: Severity::Warning,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "Uncorrected memory errors since the driver was loaded",
    why: "ECC found errors that it could not correct; programs that used that memory were ended or have wrong \
          data.",
    remedy: "Watch the counter (nvidia-smi -q -d ECC). If it grows, drain the node and reset the GPU.",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    health(facts, |gpu| {
        let errors = *gpu.ecc_uncorrected.known()?;
        (errors > 0).then(|| format!("{errors} uncorrected ECC errors."))
    })
}
