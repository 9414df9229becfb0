//! Finds containers in which no probe process can be started.

use crate::checks::probe::each_run;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::probe::{Ending, Way};
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "probe.not-started",
    severity: Severity::Unknown,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "No probe process could be started",
    why: "cudacheck starts its probe from memory, else from a file, else through the image's loader. All three failed, \
          so the state of the GPU is unknown.",
    remedy: "Allow one of them: vm.memfd_noexec of 1 or lower on the host (`sudo sysctl vm.memfd_noexec=1`), a \
             writable directory that allows execution (`docker run --tmpfs /tmp:exec ...`), or a mounted /proc",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

/// Limits of the container that prevent any program from starting: errno, cause, remedy. The most general one is
/// first.
const LIMITS: &[(i32, &str, &str)] = &[
    (
        EAGAIN,
        "The process table is full: this container or user has reached its limit on processes.",
        "Raise the limit (`docker run --pids-limit 100 ...`, the kubelet's podPidsLimit, `ulimit -u`), or find out what \
         left processes behind: `ps -ef` inside the container",
    ),
    (
        ENOMEM,
        "There is no memory for another process.",
        "Raise the container's memory limit: `docker run --memory ...` (Kubernetes: resources.limits.memory)",
    ),
    (
        EMFILE,
        "This process cannot open more files.",
        "Raise the limit: `docker run --ulimit nofile=1024 ...` (in a shell: `ulimit -n`)",
    ),
    (
        EFBIG,
        "The limit on file size is smaller than the probe, which also applies to memory files.",
        "Raise the limit to 4 MB or more: `docker run --ulimit fsize=-1 ...` (in a shell: `ulimit -f unlimited`)",
    ),
    (
        ENFILE,
        "The machine's table of open files is full.",
        "Raise fs.file-max on the host; `sysctl fs.file-nr` shows how many files are open",
    ),
];

const EAGAIN: i32 = 11;
const ENOMEM: i32 = 12;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const EFBIG: i32 = 27;

fn judge(facts: &Facts) -> Outcome {
    each_run(facts, |run| {
        let Ending::NotStarted { reasons } = &run.ending else { return Vec::new() };
        let refused = |number: i32| reasons.iter().any(|reason| reason.errno == Some(number));
        let problem = match LIMITS.iter().find(|(number, ..)| refused(*number)) {
            Some((_, cause, remedy)) => Problem::new(*cause).remedy(*remedy),
            None => Problem::new("Every way to start a program failed."),
        };
        vec![reasons.iter().fold(problem, |problem, reason| {
            let way = match reason.way {
                Some(Way::Memory) => "from memory: ",
                Some(Way::File) => "from a file: ",
                Some(Way::Loader) => "through the loader: ",
                None => "",
            };
            problem.evidence(format!("{way}{}", reason.error))
        })]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::probe::{ProbeRun, Refusal, Target};
    use crate::facts::sample::Sample;

    fn refused(errnos: &[i32]) -> Problem {
        let ways = [Way::Memory, Way::File, Way::Loader];
        let reasons = errnos.iter().zip(ways).map(|(errno, way)| Refusal {
            way: Some(way),
            errno: Some(*errno),
            error: format!("errno {errno}"),
        });
        let run = ProbeRun::not_started(Target::Survey, reasons.collect());
        judge(&Sample::machine(1).with(|facts| facts.probes = vec![run]).facts()).problems().remove(0)
    }

    #[test]
    fn each_limit_has_its_remedy() {
        for (number, cause, remedy) in LIMITS {
            let problem = refused(&[1, *number]);
            assert_eq!((problem.cause.as_str(), problem.remedy.as_deref()), (*cause, Some(*remedy)));
            assert_eq!(problem.evidence[1].text, format!("from a file: errno {number}"));
        }
        // EPERM and EACCES: refusals, not limits.
        let problem = refused(&[1, 13, 13]);
        assert_eq!((problem.cause.as_str(), problem.remedy), ("Every way to start a program failed.", None));
    }

    #[test]
    fn the_most_general_limit_is_the_cause() {
        assert!(refused(&[EMFILE, EAGAIN]).cause.starts_with("The process table is full"));
    }

    #[test]
    fn a_probe_that_ended_was_started() {
        let sample = Sample::machine(1).run(None, |run| run.ending = Ending::Exited { code: 1 });
        assert!(judge(&sample.facts()).causes().is_empty());
    }
}
