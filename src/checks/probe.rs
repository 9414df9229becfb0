//! Probes that did not complete: they hung, crashed, or did not start.

use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::facts::event::Event;
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

/// Lines of a library's output that become evidence, and the length of each.
const OUTPUT_LINES: usize = 3;
const OUTPUT_CHARS: usize = 200;

/// Judges each probe that was to be started.
pub fn each_run(facts: &Facts, judge: impl Fn(&ProbeRun) -> Vec<Problem>) -> Outcome {
    if facts.probes.is_empty() {
        return Outcome::Skip("no probe was started at this level");
    }
    facts.probes.iter().flat_map(judge).collect::<Vec<_>>().into()
}

/// ` for GPU 3`, or nothing.
pub fn for_gpu(gpu: Option<&GpuRef>) -> String {
    gpu.map(|gpu| format!(" for {gpu}")).unwrap_or_default()
}

/// `GPU 3: `, or nothing.
pub fn prefix(gpu: Option<&GpuRef>) -> String {
    gpu.map(|gpu| format!("{gpu}: ")).unwrap_or_default()
}

/// What the probe was doing when it ended: the call that was announced and did not return. NVML queries all GPUs at
/// once, so that several calls may be open.
pub fn last_call(facts: &Facts, run: &ProbeRun) -> (String, Option<GpuRef>) {
    let open = run.open_calls();
    let own = facts.gpu_of_run(run);
    match open.as_slice() {
        [] => ("between two stages".to_owned(), own),
        [(stage, call, gpu)] => {
            let gpu = gpu.map(|gpu| facts.gpu_of_stage(*stage, gpu));
            (format!("in {call}, stage {stage}"), gpu.or(own))
        }
        several => {
            let named = |(stage, call, gpu): &(Stage, &str, Option<u32>)| {
                let gpu = gpu.map(|gpu| facts.gpu_of_stage(*stage, gpu));
                format!("{call}{}", for_gpu(gpu.as_ref()))
            };
            let calls: Vec<String> = several.iter().map(named).collect();
            (format!("in one of {}", calls.join(", ")), own)
        }
    }
}

/// Adds the last lines that libraries printed.
pub fn with_output(problem: Problem, run: &ProbeRun) -> Problem {
    let lines: Vec<&str> = run.noise.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(OUTPUT_LINES)..];
    last.iter().fold(problem, |problem, line| {
        problem.evidence(format!("printed: {}", line.chars().take(OUTPUT_CHARS).collect::<String>()))
    })
}

pub fn with_last_library(problem: Problem, run: &ProbeRun) -> Problem {
    let last = run.events.iter().rev().find_map(|event| match event {
        Event::Library { path, .. } => Some(path),
        _ => None,
    });
    match last {
        Some(path) => problem.file(path, " was loaded last"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::probe::Ending;
    use crate::facts::sample::Sample;

    /// Two GPUs, and a probe that ended in this way in the middle of a call.
    pub fn with_open_call(gpu: Option<u32>, ending: Ending) -> Facts {
        let sample = Sample::machine(2).hang(gpu, Stage::Context, "cuDevicePrimaryCtxRetain");
        sample.run(gpu, |run| run.ending = ending).facts()
    }

    /// A probe that ended in this way before it wrote anything.
    pub fn with_silent(ending: Ending) -> Facts {
        let sample = Sample::machine(1).run(None, |run| {
            run.events.clear();
            run.ending = ending;
        });
        sample.facts()
    }

    #[test]
    fn the_last_call_names_its_gpu_and_several_calls_are_all_named() {
        let facts = with_open_call(Some(1), Ending::TimedOut { reaped: true });
        let (place, gpu) = last_call(&facts, &facts.probes[2]);
        assert_eq!(place, "in cuDevicePrimaryCtxRetain, stage context");
        assert_eq!(gpu.and_then(|gpu| gpu.ordinal), Some(1));

        let enter =
            |gpu| Event::Enter { stage: Stage::NvmlDevice, call: "nvmlDeviceGetName".into(), gpu: Some(gpu) };
        let facts = Sample::machine(2).event(None, enter(0)).event(None, enter(1)).facts();
        let (place, gpu) = last_call(&facts, &facts.probes[0]);
        assert_eq!(place, "in one of nvmlDeviceGetName for GPU 0, nvmlDeviceGetName for GPU 1");
        assert_eq!(gpu, None);
    }

    #[test]
    fn the_end_of_the_output_is_evidence() {
        let mut run = Sample::machine(1).facts().probes.remove(0);
        run.noise = "first\n\nsecond\nthird\nfourth\n".into();
        let evidence = with_output(Problem::new("It ended."), &run).evidence;
        let lines: Vec<&str> = evidence.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(lines, ["printed: second", "printed: third", "printed: fourth"]);
    }
}
