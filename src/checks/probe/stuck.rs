//! An earlier probe is stuck in the driver.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::probe::{of, problems};
use crate::facts::Facts;
use crate::facts::probe::Ending;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "probe.stuck",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "An earlier probe is stuck in the driver",
    why: "A probe of an earlier call of this container is past its own deadline and still alive: it hangs in a \
          call that not even SIGKILL ends. A second one would hang beside it, so none was started.",
    remedy: "Drain the node and reboot it; a process in state D cannot be removed otherwise. On the host, \
             `dmesg | grep -i -e xid -e nvrm` tells why.",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    problems(facts, |run| match &run.ending {
        Ending::Occupied(holder) if holder.is_stuck() => {
            let which = format!(
                "Process {}{} began {:.0} s ago and is in stage {}",
                holder.pid,
                of(facts.gpu_of_run(run).as_ref()),
                holder.age,
                holder.stage
            );
            let cause = format!("{which}, {:.0} s past its deadline.", holder.age - holder.timeout);
            let evidence = format!("/proc/{}/stat: state {}", holder.pid, holder.state);
            vec![Problem::new(cause).gpu(facts.gpu_of_run(run)).evidence(evidence)]
        }
        _ => Vec::new(),
    })
}
