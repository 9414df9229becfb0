//! A GPU computes wrong results.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.wrong-results",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A GPU computes wrong results",
    why: "The smoke kernel is integer arithmetic with one right answer, and every word is compared with the \
          host's model. A multiprocessor whose words differ is faulty, or its memory is.",
    remedy: "Take the GPU out of service: drain the node, then reset the GPU. If it happens again, have it \
             replaced.",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let mut problems = Vec::new();
    for run in &facts.probes {
        for smoke in run.smoke() {
            let gpu = facts.gpu_of_run(run);
            let name = facts.gpu_name(gpu.as_ref());
            if !smoke.sms_wrong.is_empty() {
                let ids: Vec<String> = smoke.sms_wrong.iter().map(u32::to_string).collect();
                let which = if ids.len() == 1 { "multiprocessor" } else { "multiprocessors" };
                problems.push(
                    Problem::new(format!("{name}: {which} {} computed wrong words.", ids.join(", ")))
                        .gpu(gpu)
                        .evidence(format!(
                            "{} of {} words differ from the host's model",
                            smoke.words_wrong, smoke.words
                        )),
                );
            } else if smoke.words_wrong > 0 {
                let cause = format!(
                    "{name}: {} words are wrong, and no multiprocessor signed for them.",
                    smoke.words_wrong
                );
                problems.push(Problem::new(cause).gpu(gpu));
            } else if !smoke.sums_right {
                problems.push(
                    Problem::new(format!(
                        "{name}: sums kept by atomics are wrong, though every word is right."
                    ))
                    .gpu(gpu),
                );
            }
        }
    }
    problems.into()
}
