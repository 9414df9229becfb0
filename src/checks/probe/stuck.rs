//! Finds probes of earlier checks that are stuck in the driver.

use crate::checks::probe::{each_run, for_gpu};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::probe::Ending;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "probe.stuck",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "An earlier probe is stuck in the driver",
    why: "A probe of an earlier check in this container is past its deadline and still alive: it hangs in a call that \
          even SIGKILL does not end. A second probe would hang too, so none was started.",
    remedy: "Drain the node and reboot it; nothing else removes a process in state D. On the host, `dmesg | grep -i -e \
             xid -e nvrm` shows the reason",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each_run(facts, |run| match &run.ending {
        Ending::Occupied(holder) if holder.is_stuck() => {
            let gpu = facts.gpu_of_run(run);
            let cause = format!(
                "Process {}{} started {:.0} s ago and is in stage {}, {:.0} s past its deadline.",
                holder.pid,
                for_gpu(gpu.as_ref()),
                holder.age,
                holder.stage,
                holder.age - holder.timeout
            );
            let evidence = format!("process state {} (/proc/{}/stat)", holder.state, holder.pid);
            vec![Problem::new(cause).gpu(gpu).evidence(evidence)]
        }
        _ => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::probe::Holder;
    use crate::facts::sample::Sample;

    #[test]
    fn a_probe_past_its_deadline_is_stuck() {
        let causes = |state: &str, age| {
            let (state, stage) = (state.to_owned(), "driver-init".to_owned());
            let holder = Holder { pid: 42, state, stage, age, timeout: 15.0 };
            let sample = Sample::machine(2).run(Some(1), |run| run.ending = Ending::Occupied(holder));
            judge(&sample.facts()).causes()
        };
        assert_eq!(
            causes("D", 20.0),
            ["Process 42 for GPU 1 started 20 s ago and is in stage driver-init, 5 s past its deadline."]
        );
        assert_eq!(causes("S", 20.0).len(), 1, "its supervisor would have ended it");
        assert!(causes("S", 15.5).is_empty(), "its supervisor is about to end it");
        assert!(causes("D", 14.0).is_empty());
    }
}
