//! The container's memory limit is too low.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::limits::failed_with;
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::probe::{Ending, ProbeRun};
use crate::model::{Evidence, Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.host-memory",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The container's memory limit is too low",
    why: "The driver and CUDA's libraries need memory of the machine as well: a context some hundred megabytes, \
          cuBLAS as much again. Beyond the limit of its cgroup a process is killed, or initialisation fails.",
    remedy: "Raise the limit: docker run --memory 4g ...   (Kubernetes: resources.limits.memory), or check less \
             deeply: --level driver",
    explains: &["probe.crashed", "node.hmm", "driver.init", "probe.nothing-verified"],
    codes: &[(Family::Driver, 3)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let limits = &facts.host.limits;
    let Some(limit) = limits.memory else { return Outcome::Pass };
    // The kernel counts whom it ends for want of memory: another SIGKILL is somebody else's.
    let ended = |run: &&ProbeRun| matches!(run.ending, Ending::Signalled { signal: 9 }) && !run.finished();
    let killed = facts.probes.iter().find(ended).filter(|_| limits.oom_kills != Some(0));
    let refused = failed_with(facts, 3).map(|(_, phrase)| phrase);
    let near = limits.memory_used.is_some_and(|used| used > limit / 10 * 9);
    let starved = refused.is_some() && near;
    if killed.is_none() && !starved {
        return Outcome::Pass;
    }
    let mut problem =
        Problem::new(format!("The limit is {:.0} MB, and the probe needed more.", limit as f64 / 1e6));
    if killed.is_some() {
        problem = problem.evidence("a probe was ended by SIGKILL before its deadline");
    }
    problem.evidence.extend(refused.map(Evidence::from));
    problem
        .evidence
        .extend(limits.oom_kills.filter(|kills| *kills > 0).map(|kills| format!("oom_kill {kills}").into()));
    problem.gpu = killed.and_then(|run| facts.gpu_of_run(run));
    Some(problem).into()
}
