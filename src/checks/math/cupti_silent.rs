//! CUPTI traces contain no record of the kernel.

use crate::checks::math::each;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};
use protocol::SMOKE_KERNEL;

pub const CHECK: Check = Check {
    id: "math.cupti-silent",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "CUPTI traces contain no record of the kernel",
    why: "The Activity API was enabled while a kernel ran, but no record names that kernel. Profiles would be empty.",
    remedy: "Install CUPTI from the CUDA release of the image or the driver",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::event::Event;
    use crate::facts::sample::Sample;

    #[test]
    fn the_kernel_is_not_recorded() {
        let facts = |kernels: &[&str]| {
            let kernels: Vec<String> = kernels.iter().map(|kernel| kernel.to_string()).collect();
            let change = |event: &mut Event| {
                if let Event::Cupti(cupti) = event {
                    cupti.kernels = kernels.clone();
                }
            };
            Sample::machine(1).run(Some(0), |run| run.events.iter_mut().for_each(change)).facts()
        };
        let found = problem(judge(&facts(&["memset"])));
        assert_eq!(
            found.cause,
            format!("GPU 0 (NVIDIA H100 80GB HBM3): none of 1 records names {SMOKE_KERNEL}.")
        );
        assert_eq!(found.evidence[0].text, "records: memset");
        assert!(matches!(judge(&facts(&["memset", SMOKE_KERNEL])), Outcome::Pass));
    }
}
