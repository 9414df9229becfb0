//! A GPU library crashed.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::probe::{SIGKILL, last_library, of, place, problems, signal_name, with_noise};
use crate::facts::Facts;
use crate::facts::probe::Ending;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "probe.crashed",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A GPU library crashed",
    why: "The probe loads the same libraries as an application, in a process of its own. A signal in one of them \
          would have killed the application as well.",
    remedy: "Look at the file that was loaded last: a library of another release or a damaged one is the usual \
             reason. Rebuild the image with one CUDA release.",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    problems(facts, |run| match run.ending {
        Ending::Signalled { signal } if run.said_hello() && !run.finished() => {
            let (place, gpu) = place(facts, run);
            let problem = Problem::new(format!(
                "The probe died of {}{} {place}.",
                signal_name(signal),
                of(gpu.as_ref())
            ))
            .gpu(gpu);
            // Nothing of ours sends it before the deadline: the kernel does, for want of memory.
            let problem = if signal == SIGKILL {
                problem.remedy(
                    "Raise the container's memory limit (docker run --memory ..., resources.limits.memory): the \
                     kernel ends what exceeds it.",
                )
            } else {
                problem
            };
            vec![with_noise(last_library(problem, run), run)]
        }
        _ => Vec::new(),
    })
}
