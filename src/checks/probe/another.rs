//! Another check of this container is still running.

use protocol::LOCK_TAKEN;
use crate::checks::{Check, Outcome, Problem};
use crate::checks::probe::{of, problems};

use crate::facts::Facts;
use crate::facts::probe::Ending;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "probe.another",
    severity: Severity::Unknown,
    owner: Owner::Nobody,
    fix: Fix::Wait,
    title: "Another check of this container is still running",
    why: "Two probes at once would disturb each other, so this call waited for the other one, up to its own \
          deadline.",
    remedy: "Try again later, or give this call a longer --timeout than the other one.",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    problems(facts, |run| match &run.ending {
        // It has waited, and each time another probe was quicker; who, /proc does not tell.
        Ending::Exited { code: LOCK_TAKEN } if !run.said_hello() => {
            let cause = format!(
                "Another probe{} was there before this call's deadline.",
                of(facts.gpu_of_run(run).as_ref())
            );
            vec![Problem::new(cause).gpu(facts.gpu_of_run(run))]
        }
        Ending::Occupied(holder) if !holder.is_stuck() => {
            let cause = format!(
                "Process {}{} is in stage {} and was not done before the deadline of this call.",
                holder.pid,
                of(facts.gpu_of_run(run).as_ref()),
                holder.stage
            );
            vec![Problem::new(cause).gpu(facts.gpu_of_run(run))]
        }
        _ => Vec::new(),
    })
}
