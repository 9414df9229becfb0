//! No probe could be started.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::probe::problems;
use crate::facts::Facts;
use crate::facts::probe::Ending;
use crate::model::{Fix, Owner, Severity};

/// Limits of the container that keep any program from being started, by errno; what keeps more from being
/// started comes first.
const LIMITS: &[(i32, &str, &str)] = &[
    (
        11, // EAGAIN
        "The process table is full: the limit of processes of this container or user is reached.",
        "Raise the limit (docker run --pids-limit 100 ..., the kubelet's podPidsLimit, ulimit -u), or look for what has \
         left processes behind: ps -ef inside the container",
    ),
    (
        12, // ENOMEM
        "There is no memory for another process.",
        "Raise the container's memory limit: docker run --memory ..., resources.limits.memory",
    ),
    (
        24, // EMFILE
        "This process may not open any more files.",
        "Raise the limit: docker run --ulimit nofile=1024 ..., ulimit -n",
    ),
    (
        27, // EFBIG
        "A limit on the size of files forbids the probe, in memory as well.",
        "Raise it to 4 MB or more: docker run --ulimit fsize=-1 ..., ulimit -f unlimited",
    ),
    (
        23, // ENFILE
        "The machine's table of open files is full.",
        "On the host: sysctl fs.file-nr shows how many are open; raise fs.file-max",
    ),
];

pub const CHECK: Check = Check {
    id: "probe.not-started",
    severity: Severity::Unknown,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "No probe could be started",
    why: "cudacheck runs its probe from memory, else from a file, else through the image's loader. All three were \
          refused, so nothing can be said about the GPU.",
    remedy: "Allow one of them: sysctl vm.memfd_noexec=1 or lower on the host, a writable directory that allows \
             execution (docker run --tmpfs /tmp:exec), or a mounted /proc",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    problems(facts, |run| match &run.ending {
        Ending::NotStarted { reasons } => {
            let refused = |number: i32| reasons.iter().any(|reason| reason.errno == Some(number));
            let limit = LIMITS.iter().find(|(number, ..)| refused(*number));
            let mut problem = match limit {
                Some((_, cause, remedy)) => Problem::new(*cause).remedy(*remedy),
                None => Problem::new("Every way of starting a program was refused."),
            };
            for reason in reasons {
                let way = match reason.way {
                    Some(crate::facts::probe::Way::Memory) => "from memory: ",
                    Some(crate::facts::probe::Way::File) => "from a file: ",
                    Some(crate::facts::probe::Way::Loader) => "through the loader: ",
                    None => "",
                };
                problem = problem.evidence(format!("{way}{}", reason.error));
            }
            vec![problem]
        }
        _ => Vec::new(),
    })
}
