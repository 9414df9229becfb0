//! CUPTI traces nothing.

use protocol::SMOKE_KERNEL;
use crate::checks::{Check, Outcome, Problem};
use crate::checks::math::each;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "math.cupti-silent",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "CUPTI traces nothing",
    why: "The Activity API was on while a kernel ran, and no record names that kernel: profiles would be empty.",
    remedy: "Install the CUPTI that belongs to the driver's or the image's CUDA release.",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let cupti = run.cupti().next()?;
        let named = cupti.kernels.iter().any(|kernel| kernel == SMOKE_KERNEL);
        (!named).then(|| {
            Problem::new(format!("none of {} records names {SMOKE_KERNEL}.", cupti.kernels.len()))
                .evidence(format!("records: {}", cupti.kernels.join(", ")))
        })
    })
}
