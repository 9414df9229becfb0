//! The memory limit of the container's cgroup is too low for CUDA.

use crate::checks::shared::init_fault::init_fault;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::facts::probe::{Ending, ProbeRun};
use crate::model::{Evidence, Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.host-memory",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The container's memory limit is too low",
    why: "The driver and the CUDA libraries also need host memory: a context takes a few hundred megabytes, and cuBLAS \
          about as much again. Above the limit of its cgroup a process is killed, or initialization fails.",
    remedy: "Raise the limit: `docker run --memory 4g ...` (Kubernetes: resources.limits.memory), or verify less: \
             --level driver",
    explains: &["probe.crashed", "node.hmm", "driver.init", "probe.nothing-verified"],
    codes: &[(Library::Driver, 3)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let limits = &facts.host.limits;
    let Some(limit) = limits.memory else { return Outcome::Pass };
    // The kernel counts its OOM kills: with none, the SIGKILL came from elsewhere.
    let by_sigkill =
        |run: &&ProbeRun| matches!(run.ending, Ending::Signalled { signal: 9 }) && !run.finished();
    let killed = facts.probes.iter().find(by_sigkill).filter(|_| limits.oom_kills != Some(0));
    let near_limit = limits.memory_used.is_some_and(|used| used > limit / 10 * 9);
    let refused = init_fault(facts, 3).map(|(_, phrase)| phrase);
    if killed.is_none() && !(refused.is_some() && near_limit) {
        return Outcome::Pass;
    }
    let cause = format!("The memory limit is {:.0} MB, and the probe needed more.", limit as f64 / 1e6);
    let mut problem = Problem::new(cause).gpu(killed.and_then(|run| facts.gpu_of_run(run)));
    if killed.is_some() {
        problem = problem.evidence("a probe was killed by SIGKILL before its deadline");
    }
    problem.evidence.extend(refused.map(Evidence::from));
    if let Some(kills) = limits.oom_kills.filter(|kills| *kills > 0) {
        problem = problem.evidence(format!("oom_kill {kills}"));
    }
    Some(problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{lines, passes, problem};
    use crate::facts::event::Event;
    use crate::facts::sample::{Sample, fault};
    use crate::model::Stage;

    fn limited(sample: Sample, oom_kills: Option<u64>, used: u64) -> Sample {
        sample.host(|host| {
            host.limits.memory = Some(512_000_000);
            host.limits.memory_used = Some(used);
            host.limits.oom_kills = oom_kills;
        })
    }

    /// The probe of GPU 1 ended by a signal.
    fn killed(signal: i32) -> Sample {
        Sample::machine(2).run(Some(1), |run| {
            run.ending = Ending::Signalled { signal };
            run.events.retain(|event| *event != Event::Done);
        })
    }

    fn not_initialized() -> Sample {
        Sample::machine(1).fault(None, Stage::DriverInit, fault("cuInit", 3))
    }

    #[test]
    fn a_probe_was_killed_for_its_memory() {
        for kills in [Some(1), None] {
            let problem = problem(judge(&limited(killed(9), kills, 0).facts()));
            assert!(problem.cause.starts_with("The memory limit is 512 MB"), "{}", problem.cause);
            assert_eq!(problem.gpu.as_ref().unwrap().ordinal, Some(1));
            assert_eq!(lines(&problem).contains(&"oom_kill 1"), kills.is_some());
        }
    }

    #[test]
    fn initialization_failed_near_the_limit() {
        let problem = problem(judge(&limited(not_initialized(), Some(0), 500_000_000).facts()));
        assert!(lines(&problem)[0].starts_with("cuInit returned 3"));
        assert!(passes(judge(&limited(not_initialized(), Some(0), 100_000_000).facts())));
    }

    #[test]
    fn other_deaths_are_not_of_memory() {
        let without_limit = killed(9);
        let by_somebody = limited(killed(9), Some(0), 0);
        let by_crash = limited(killed(11), Some(1), 0);
        for sample in [without_limit, by_somebody, by_crash] {
            assert!(passes(judge(&sample.facts())));
        }
    }
}
