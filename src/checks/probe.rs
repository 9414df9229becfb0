//! Probes that did not come to their end: a hang, a crash, a start that failed.

use super::{Check, Outcome, Problem};
use crate::facts::probe::{Ending, ProbeRun};
use crate::facts::{Facts, gpu_selection};
use crate::model::{Fix, GpuRef, Level, Owner, Severity, Stage};
use protocol::TAKEN;

pub const CHECKS: &[Check] = &[
    Check {
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
        judge: stuck,
    },
    Check {
        id: "probe.hung",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "A call into the GPU's libraries did not return",
        why: "The deadline passed while the probe waited for one call. Either the driver is wedged, or the call is \
              slower than --timeout allows: a driver without persistence mode needs seconds for each GPU, and cuInit \
              can wait 30 seconds for a fabric manager.",
        remedy: "Try again with --timeout 120s. If the same call hangs, look at `dmesg | grep -i -e xid -e nvrm` on \
                 the host and reset or reboot it.",
        explains: &["probe.nothing-verified"],
        codes: &[],
        judge: hung,
    },
    Check {
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
        judge: crashed,
    },
    Check {
        id: "probe.ended-early",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The probe ended before it was done",
        why: "A library ended the process itself, without a signal: applications that load it would end as silently.",
        remedy: "Look at what the library printed, and at the file that was loaded last.",
        explains: &["probe.nothing-verified"],
        codes: &[],
        judge: ended_early,
    },
    Check {
        id: "probe.not-loaded",
        severity: Severity::Unknown,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The image's loader could not load the probe",
        why: "The probe is a small program for glibc. A loader that refuses it is too old, or only pretends to be \
              glibc's (gcompat).",
        remedy: "Use a release of cudacheck whose glibc floor the image meets (`cudacheck --version` prints it), or a \
                 newer base image.",
        explains: &["probe.nothing-verified"],
        codes: &[],
        judge: not_loaded,
    },
    Check {
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
        judge: not_started,
    },
    Check {
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
        judge: another,
    },
    Check {
        id: "probe.nothing-verified",
        severity: Severity::Unknown,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "No GPU was verified",
        why: "No probe reported a fault, and none reported a GPU that works: that is not healthy.",
        remedy: "Run cudacheck --format json and look at the stages.",
        explains: &[],
        codes: &[],
        judge: nothing_verified,
    },
];

fn of(gpu: Option<&GpuRef>) -> String {
    gpu.map(|gpu| format!(" for {gpu}")).unwrap_or_default()
}

/// What libraries printed, the last lines of it.
fn with_noise(mut problem: Problem, run: &ProbeRun) -> Problem {
    let lines: Vec<&str> = run.noise.lines().filter(|line| !line.trim().is_empty()).collect();
    for line in &lines[lines.len().saturating_sub(3)..] {
        problem = problem.evidence(format!("printed: {}", line.chars().take(200).collect::<String>()));
    }
    problem
}

fn problems(facts: &Facts, judge: impl Fn(&ProbeRun) -> Vec<Problem>) -> Outcome {
    if facts.probes.is_empty() {
        return Outcome::Skip("no probe was to be started");
    }
    facts.probes.iter().flat_map(judge).collect::<Vec<_>>().into()
}

fn stuck(facts: &Facts) -> Outcome {
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

fn another(facts: &Facts) -> Outcome {
    problems(facts, |run| match &run.ending {
        // It has waited, and each time another probe was quicker; who, /proc does not tell.
        Ending::Exited { code: TAKEN } if !run.spoke() => {
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

fn hung(facts: &Facts) -> Outcome {
    let hung = |run: &ProbeRun| {
        let timed_out = matches!(run.ending, Ending::TimedOut { .. });
        // A survey that gave up on one GPU has finished, and left that GPU's call open.
        if !timed_out && !run.finished() {
            return Vec::new();
        }
        let mut open = run.open_calls();
        // A GPU that this call is not about may hang as it likes.
        open.retain(|(stage, _, gpu)| {
            *stage != Stage::NvmlDevice || gpu.is_none_or(|gpu| gpu_selection::concerns(facts, gpu))
        });
        let late = open.iter().map(|(stage, call, gpu)| {
            let seconds = run.seconds;
            let gpu = gpu.map(|gpu| facts.gpu_of_stage(*stage, gpu));
            let which = of(gpu.as_ref());
            let problem = Problem::new(format!("{call} did not return{which} within {seconds:.1} s."))
                .gpu(gpu)
                .evidence(format!("stage {stage}"));
            let problem = match run.ending {
                Ending::TimedOut { reaped: false } => {
                    problem.evidence("SIGKILL did not end the process: it is stuck in the kernel")
                }
                _ => problem,
            };
            with_noise(problem, run)
        });
        let late: Vec<Problem> = late.collect();
        if late.is_empty() && timed_out && !run.finished() {
            return vec![with_noise(
                Problem::new(format!(
                    "The probe{} did not come to its end within {:.2} s.",
                    of(facts.gpu_of_run(run).as_ref()),
                    run.seconds
                ))
                .gpu(facts.gpu_of_run(run)),
                run,
            )];
        }
        late
    };
    problems(facts, hung)
}

/// Where a run stood when it ended: the call that was announced and did not return. NVML is asked
/// about all GPUs at once; which of several calls it was then cannot be told.
fn place(facts: &Facts, run: &ProbeRun) -> (String, Option<GpuRef>) {
    let open = run.open_calls();
    let own = facts.gpu_of_run(run);
    match open.as_slice() {
        [] => ("between two stages".to_owned(), own),
        [(stage, call, of)] => {
            let gpu = of.map(|gpu| facts.gpu_of_stage(*stage, gpu));
            (format!("in {call}, stage {stage}"), gpu.or(own))
        }
        several => {
            let named = |(stage, call, gpu): &(Stage, &str, Option<u32>)| {
                let gpu = gpu.map(|gpu| facts.gpu_of_stage(*stage, gpu));
                format!("{call}{}", of(gpu.as_ref()))
            };
            let calls: Vec<String> = several.iter().map(named).collect();
            (format!("in one of: {}", calls.join(", ")), own)
        }
    }
}

fn crashed(facts: &Facts) -> Outcome {
    problems(facts, |run| match run.ending {
        Ending::Signalled { signal } if run.spoke() && !run.finished() => {
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

fn last_library(problem: Problem, run: &ProbeRun) -> Problem {
    let last = run.events.iter().rev().find_map(|event| match event {
        crate::facts::event::Event::Library { path, .. } => Some(path),
        _ => None,
    });
    match last {
        Some(path) => problem.evidence(format!("loaded last: {path}")),
        None => problem,
    }
}

const SIGKILL: i32 = 9;

fn signal_name(signal: i32) -> String {
    let name = match signal {
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        SIGKILL => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        31 => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    format!("{name} (signal {signal})")
}

fn ended_early(facts: &Facts) -> Outcome {
    problems(facts, |run| match run.ending {
        Ending::Exited { code } if run.spoke() && !run.finished() => {
            let (place, gpu) = place(facts, run);
            let problem = Problem::new(format!("The probe exited with status {code} {place}.")).gpu(gpu);
            vec![with_noise(last_library(problem, run), run)]
        }
        _ => Vec::new(),
    })
}

fn not_loaded(facts: &Facts) -> Outcome {
    problems(facts, |run| match run.ending {
        Ending::Exited { code } if !run.spoke() && code != TAKEN => {
            let problem = Problem::new(format!("The probe exited with status {code} before its first word."));
            vec![with_noise(problem, run)]
        }
        Ending::Signalled { signal } if !run.spoke() => {
            let problem =
                Problem::new(format!("The probe died of {} before its first word.", signal_name(signal)));
            vec![with_noise(problem, run)]
        }
        _ => Vec::new(),
    })
}

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

fn not_started(facts: &Facts) -> Outcome {
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

/// The net under everything: something was asked for, nothing failed, nothing passed.
fn nothing_verified(facts: &Facts) -> Outcome {
    if facts.request.level == Level::Image {
        return Outcome::Skip("nothing was to be run");
    }
    let seen = |run: &ProbeRun| match facts.request.level {
        Level::Nvml => run.nvml_devices().any(|gpu| gpu_selection::chosen(facts, gpu).is_some()),
        _ => run.devices().any(|device| gpu_selection::is_named(facts, device)),
    };
    if facts.probes.iter().any(seen) {
        return Outcome::Pass;
    }
    Some(Problem::new(format!("Level {} was asked for, and no GPU answered.", facts.request.level))).into()
}
