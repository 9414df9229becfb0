//! Finds GPUs that compute wrong results, and the SMs that do.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::event::Smoke;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.wrong-results",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A GPU computes wrong results",
    why: "The test kernel is integer arithmetic with one right answer, and cudacheck compares every word with its \
          own model on the host. If words differ, the SM or the memory is faulty.",
    remedy: "Take the GPU out of service: drain the node, then reset the GPU. If it happens again, replace the GPU",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let mut problems = Vec::new();
    for run in &facts.probes {
        for smoke in run.smoke() {
            let gpu = facts.gpu_of_run(run);
            let problem = wrong(smoke, &facts.gpu_name(gpu.as_ref()));
            problems.extend(problem.map(|problem| problem.gpu(gpu)));
        }
    }
    problems.into()
}

fn wrong(smoke: &Smoke, name: &str) -> Option<Problem> {
    if smoke.is_right() {
        return None;
    }
    if !smoke.sms_wrong.is_empty() {
        let ids: Vec<String> = smoke.sms_wrong.iter().map(u32::to_string).collect();
        let sms = if ids.len() == 1 { "SM" } else { "SMs" };
        let words = format!("{} of {} words differ from the host's model", smoke.words_wrong, smoke.words);
        let cause = format!("{name}: {sms} {} computed wrong results.", ids.join(", "));
        return Some(Problem::new(cause).evidence(words));
    }
    if smoke.words_wrong > 0 {
        let words = smoke.words_wrong;
        return Some(Problem::new(format!("{name}: {words} wrong words cannot be attributed to an SM.")));
    }
    let cause = format!("{name}: the sums of atomic additions are wrong, although every word is right.");
    Some(Problem::new(cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::device::tests::with_smoke;

    #[test]
    fn wrong_words_name_their_sms() {
        let problems = judge(&with_smoke(|smoke| {
            smoke.sms_wrong = vec![5, 77];
            smoke.words_wrong = 3;
        }))
        .problems();
        assert_eq!(problems.len(), 1, "the other GPU is right");
        assert_eq!(problems[0].cause, "GPU 1 (NVIDIA H100 80GB HBM3): SMs 5, 77 computed wrong results.");
        assert_eq!(problems[0].evidence[0].text, "3 of 1048576 words differ from the host's model");
        assert_eq!(problems[0].gpu.as_ref().and_then(|gpu| gpu.ordinal), Some(1));
    }

    #[test]
    fn wrong_words_of_no_sm_and_wrong_sums() {
        let causes = |words_wrong, sums_right| {
            judge(&with_smoke(|smoke| (smoke.words_wrong, smoke.sums_right) = (words_wrong, sums_right)))
                .causes()
        };
        assert!(causes(2, true)[0].ends_with("2 wrong words cannot be attributed to an SM."));
        assert!(causes(0, false)[0].ends_with("although every word is right."));
        assert!(causes(0, true).is_empty());
    }

    #[test]
    fn an_sm_that_ran_no_block_is_not_wrong() {
        assert!(judge(&with_smoke(|smoke| smoke.sms_covered = 131)).causes().is_empty());
    }
}
