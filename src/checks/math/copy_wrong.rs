//! Data comes back from the GPU corrupted.

use crate::checks::math::each;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "math.copy-wrong",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "Data comes back from the GPU corrupted",
    why: "libcudart copied a megabyte to the GPU and back, and the result differs.",
    remedy: "Take the GPU out of service: its memory or its link is faulty",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let runtime = run.runtime().next()?;
        let at = runtime.wrong_at?;
        Some(Problem::new(format!("byte {at} of {} is the first that differs.", runtime.copied)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::event::Event;
    use crate::facts::sample::Sample;

    #[test]
    fn one_byte_differs() {
        let sample = Sample::machine(2).run(Some(1), |run| {
            for event in &mut run.events {
                if let Event::Runtime(runtime) = event {
                    runtime.wrong_at = Some(4000);
                }
            }
        });
        let found = problem(judge(&sample.facts()));
        assert_eq!(
            found.cause,
            "GPU 1 (NVIDIA H100 80GB HBM3): byte 4000 of 1048576 is the first that differs."
        );
        assert_eq!(found.gpu.and_then(|gpu| gpu.ordinal), Some(1));
        assert!(matches!(judge(&Sample::machine(2).facts()), Outcome::Pass));
    }
}
