//! The supervisor: starts probes, listens, and is back at the deadline whatever they do.
//!
//! `start.rs` turns the embedded program into a process, `lock.rs` finds one that an earlier call
//! left behind, `run.rs` listens and ends, `signals.rs` knows of signals. What comes out are facts: what
//! each probe said and how it ended. Nothing here loads a GPU library, opens a device node, or judges.

mod lock;
mod run;
pub mod signals;
mod start;

use std::time::{Duration, Instant};

use crate::facts::event::{Device, Event};
use crate::facts::probe::{Ending, ProbeRun, Target};
use protocol::{DeviceTask, Job, Libraries, PROTOCOL, Survey, TAKEN, Task};
pub use start::LOADER;

/// Time that the supervisor keeps for itself out of the caller's: to kill, to judge, to print.
const RESERVE: Duration = Duration::from_millis(60);

/// How long NVML may take over one GPU: its answers take milliseconds, a second under load.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Plan<'a> {
    pub nodes: Vec<String>,
    /// cuInit and the list of devices.
    pub driver: bool,
    /// A context and the smoke kernel on each device.
    pub smoke: bool,
    /// The libraries as well.
    pub gemm: bool,
    /// Which of the devices that the driver lists are exercised.
    pub chosen: &'a dyn Fn(&Device) -> bool,
    /// Asked once, after the survey.
    pub libraries: &'a dyn Fn() -> Libraries,
    pub deadline: Instant,
}

/// Runs the survey, then one probe per device, all of them at once.
pub fn probe(plan: &Plan) -> Vec<ProbeRun> {
    let deadline = plan.deadline - RESERVE;
    let _busy = signals::Busy::new();
    // What a library starts in a probe, and what is left of a probe that could not be killed, comes to this program
    // and not to process 1, which in most containers reaps nobody. Linux has it since 3.4.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    run::Running::reap_rest();
    let mut program = match start::Program::new() {
        Ok(program) => program,
        Err(reasons) => return vec![ProbeRun::not_started(Target::Survey, reasons)],
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let survey = |nvml| Survey {
        nodes: plan.nodes.clone(),
        nvml,
        driver: plan.driver,
        // So that the other GPUs are exercised all the same.
        patience_ms: (left / 2).min(PATIENCE).as_millis() as u64,
    };
    let mut runs = run_all(&mut program, vec![(Target::Survey, Task::Survey(survey(true)))], deadline);
    // NVML and CUDA are two libraries: one that kills its process says nothing about the other.
    if runs[0].crashed_in_nvml() && plan.driver {
        let again = Task::Survey(Survey { nodes: Vec::new(), ..survey(false) });
        runs.extend(run_all(&mut program, vec![(Target::Survey, again)], deadline));
    }
    if !plan.smoke {
        return runs;
    }
    let devices: Vec<_> = runs
        .iter()
        .flat_map(|run| &run.events)
        .filter_map(|event| match event {
            Event::Device(device) if (plan.chosen)(device) => Some(device.clone()),
            _ => None,
        })
        .collect();
    if devices.is_empty() {
        return runs;
    }
    let libraries = if plan.gemm { (plan.libraries)() } else { Libraries::default() };
    let tasks = devices.iter().map(|device| {
        let task = DeviceTask {
            ordinal: device.ordinal,
            memory_free: crate::facts::probe::free_memory(&runs, device),
            gemm: plan.gemm,
            libraries: libraries.clone(),
        };
        (Target::Gpu(device.ordinal), Task::Device(task))
    });
    let tasks = tasks.collect();
    runs.extend(run_all(&mut program, tasks, deadline));
    runs
}

/// Starts a probe for each task unless an earlier one still holds its place, and hears them all out.
fn run_all(program: &mut start::Program, tasks: Vec<(Target, Task)>, deadline: Instant) -> Vec<ProbeRun> {
    let mut ended = Vec::new();
    let mut tasks = tasks;
    // A place can be taken between the look at it and the probe's own claim: then it is waited for again, less and
    // less often, since who holds it may be out of sight.
    let mut pause = lock::POLL;
    while !tasks.is_empty() {
        let runs = run_once(program, tasks.clone(), deadline);
        let again = Instant::now() + pause < deadline && signals::signalled().is_none();
        let (late, over): (Vec<_>, Vec<_>) =
            runs.into_iter().partition(|run| again && run.ending == (Ending::Exited { code: TAKEN }));
        ended.extend(over);
        tasks.retain(|(target, _)| late.iter().any(|run| run.target == *target));
        if !tasks.is_empty() {
            std::thread::sleep(pause);
            pause = (2 * pause).min(Duration::from_millis(500));
        }
    }
    ended.sort_by_key(|run| run.target);
    ended
}

fn run_once(program: &mut start::Program, tasks: Vec<(Target, Task)>, deadline: Instant) -> Vec<ProbeRun> {
    let mut ended = Vec::new();
    let mut running = run::Running::default();
    // Those whose place is free first: a probe that holds one place must not cost the others their time.
    let (free, held): (Vec<_>, Vec<_>) =
        tasks.into_iter().partition(|(target, _)| lock::held(&lock::name(*target)).is_none());
    for (target, task) in free.into_iter().chain(held) {
        let lock = lock::name(target);
        if let Some(holder) = lock::wait(&lock, deadline) {
            ended.push(ProbeRun { ending: Ending::Occupied(holder), ..ProbeRun::new(target) });
            continue;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let job = Job {
            protocol: PROTOCOL,
            parent: std::process::id(),
            task,
            lock,
            timeout_ms: left.as_millis() as u64,
        };
        match program.spawn(&job) {
            Ok(started) => running.add(target, started),
            Err(reasons) => ended.push(ProbeRun::not_started(target, reasons)),
        }
    }
    ended.extend(running.finish(deadline));
    ended
}
