//! Data comes back from the GPU changed.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::math::each;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "math.copy-wrong",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "Data comes back from the GPU changed",
    why: "libcudart copied a megabyte to the device and back, and it is not the same.",
    remedy: "Take the GPU out of service: its memory or its link is faulty.",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let runtime = run.runtime().next()?;
        let at = runtime.wrong_at?;
        Some(Problem::new(format!("byte {at} of {} is the first that came back different.", runtime.copied)))
    })
}
