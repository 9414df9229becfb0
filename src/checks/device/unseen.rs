//! Finds GPUs with SMs that ran no block of the test kernel.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.unseen",
    severity: Severity::Unknown,
    owner: Owner::Launch,
    fix: Fix::Wait,
    title: "Some SMs did not run the test kernel",
    why: "The cooperative launch was refused or did not reach every SM, and ordinary launches did not reach the \
          rest. Whether those SMs compute correctly is unknown.",
    remedy: "Run the check again when the GPU is idle, and without MPS",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let problem = |run: &ProbeRun| {
        let smoke = run.smoke().find(|smoke| !smoke.covers_all())?;
        let gpu = facts.gpu_of_run(run);
        let cause = format!(
            "{}: {} of {} SMs ran a block in {} launch{}.",
            facts.gpu_name(gpu.as_ref()),
            smoke.sms_covered,
            smoke.sms_present,
            smoke.launches,
            if smoke.launches == 1 { "" } else { "es" }
        );
        Some(Problem::new(cause).gpu(gpu))
    };
    facts.probes.iter().filter_map(problem).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::device::tests::with_smoke;

    #[test]
    fn a_missing_sm_is_found_and_a_wrong_one_is_not() {
        let missing = with_smoke(|smoke| (smoke.sms_covered, smoke.launches) = (131, 9));
        assert_eq!(
            judge(&missing).causes(),
            ["GPU 1 (NVIDIA H100 80GB HBM3): 131 of 132 SMs ran a block in 9 launches."]
        );
        assert!(judge(&with_smoke(|smoke| smoke.sms_wrong = vec![7])).causes().is_empty());
    }
}
