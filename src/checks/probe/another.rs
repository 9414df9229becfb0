//! Finds checks that did not run because of another check in the same container.

use crate::checks::probe::{each_run, for_gpu};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::probe::Ending;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "probe.another",
    severity: Severity::Unknown,
    owner: Owner::Launch,
    fix: Fix::Wait,
    title: "Another check in this container is still running",
    why: "Two probes at a time would disturb each other. This check waited for the other one until its own deadline.",
    remedy: "Try again later, or give this check a longer --timeout than the other one",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each_run(facts, |run| {
        let gpu = facts.gpu_of_run(run);
        let which = for_gpu(gpu.as_ref());
        let cause = match &run.ending {
            // The lock was taken each time that this probe tried; the kernel does not show by whom.
            Ending::LockTaken => {
                format!("Another probe{which} was running until the deadline of this check.")
            }
            Ending::Occupied(holder) if !holder.is_stuck() => {
                format!(
                    "Process {}{which} is in stage {} and did not finish before the deadline of this check.",
                    holder.pid, holder.stage
                )
            }
            _ => return Vec::new(),
        };
        vec![Problem::new(cause).gpu(gpu)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::tests::with_silent;
    use crate::facts::probe::Holder;
    use crate::facts::sample::Sample;

    fn holder(age: f64) -> Holder {
        Holder { pid: 42, state: "S".into(), stage: "driver-init".into(), age, timeout: 15.0 }
    }

    #[test]
    fn a_probe_within_its_deadline_is_waited_for() {
        let causes = |age| {
            let sample = Sample::machine(2).run(Some(1), |run| run.ending = Ending::Occupied(holder(age)));
            judge(&sample.facts()).causes()
        };
        assert_eq!(
            causes(3.0),
            [
                "Process 42 for GPU 1 is in stage driver-init and did not finish before the deadline of this check."
            ]
        );
        assert!(causes(20.0).is_empty(), "it is stuck");
    }

    #[test]
    fn a_probe_that_found_its_lock_taken() {
        let causes = |ending| judge(&with_silent(ending)).causes();
        assert_eq!(
            causes(Ending::LockTaken),
            ["Another probe was running until the deadline of this check."]
        );
        assert!(causes(Ending::Exited { code: 1 }).is_empty());
    }
}
