//! Probes that did not complete: a hang, a crash, a start that failed.

use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::{GpuRef, Stage};

family! {
    stuck
    hung
    crashed
    ended_early
    not_loaded
    not_started
    another
    nothing_verified
}

pub const SIGKILL: i32 = 9;

pub fn of(gpu: Option<&GpuRef>) -> String {
    gpu.map(|gpu| format!(" for {gpu}")).unwrap_or_default()
}

/// What libraries printed, the last lines of it.
pub fn with_noise(mut problem: Problem, run: &ProbeRun) -> Problem {
    let lines: Vec<&str> = run.noise.lines().filter(|line| !line.trim().is_empty()).collect();
    for line in &lines[lines.len().saturating_sub(3)..] {
        problem = problem.evidence(format!("printed: {}", line.chars().take(200).collect::<String>()));
    }
    problem
}

pub fn problems(facts: &Facts, judge: impl Fn(&ProbeRun) -> Vec<Problem>) -> Outcome {
    if facts.probes.is_empty() {
        return Outcome::Skip("no probe was to be started");
    }
    facts.probes.iter().flat_map(judge).collect::<Vec<_>>().into()
}

/// Where a run stood when it ended: the call that was announced and did not return. NVML is asked
/// about all GPUs at once; which of several calls it was then cannot be told.
pub fn place(facts: &Facts, run: &ProbeRun) -> (String, Option<GpuRef>) {
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

pub fn last_library(problem: Problem, run: &ProbeRun) -> Problem {
    let last = run.events.iter().rev().find_map(|event| match event {
        crate::facts::event::Event::Library { path, .. } => Some(path),
        _ => None,
    });
    match last {
        Some(path) => problem.evidence(format!("loaded last: {path}")),
        None => problem,
    }
}

pub fn signal_name(signal: i32) -> String {
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
