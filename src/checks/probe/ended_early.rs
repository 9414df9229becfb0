//! The probe ended before it was done.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::probe::{last_library, place, problems, with_noise};
use crate::facts::Facts;
use crate::facts::probe::Ending;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "probe.ended-early",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The probe ended before it was done",
    why: "A library ended the process itself, without a signal: applications that load it would end as silently.",
    remedy: "Look at what the library printed, and at the file that was loaded last.",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    problems(facts, |run| match run.ending {
        Ending::Exited { code } if run.said_hello() && !run.finished() => {
            let (place, gpu) = place(facts, run);
            let problem = Problem::new(format!("The probe exited with status {code} {place}.")).gpu(gpu);
            vec![with_noise(last_library(problem, run), run)]
        }
        _ => Vec::new(),
    })
}
