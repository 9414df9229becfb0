//! The supervisor: starts probes, listens to them, and returns by the deadline whatever they do.
//!
//! `start.rs` starts the embedded program, `lock.rs` finds probes that earlier calls left behind, `run.rs` listens to
//! probes and kills them, `signals.rs` handles signals to this program. The result is facts: what each probe reported
//! and how it ended. Nothing here loads a GPU library, opens a device node, or judges.

mod lock;
mod run;
pub mod signals;
mod start;

use std::time::{Duration, Instant};

use crate::facts::event::{Device, Event};
use crate::facts::probe::{Ending, ProbeRun, Target};
use protocol::{DeviceTask, Job, Libraries, PROTOCOL, Survey, Task};

/// Part of the caller's time that is reserved to kill probes, judge and print.
const RESERVE: Duration = Duration::from_millis(60);

/// How long to wait for NVML to report on all GPUs. It takes milliseconds, or a second under load.
const NVML_TIMEOUT: Duration = Duration::from_secs(10);

/// What to run.
pub struct Plan<'a> {
    /// Device nodes to open.
    pub nodes: Vec<String>,
    /// Initialize the driver and list its devices.
    pub driver: bool,
    /// Run the smoke kernel on each device.
    pub smoke: bool,
    /// Exercise the libraries on each device.
    pub gemm: bool,
    /// Selects the devices to exercise.
    pub chosen: &'a dyn Fn(&Device) -> bool,
    /// The libraries to exercise. Called once, after the survey.
    pub libraries: &'a dyn Fn() -> Libraries,
    pub deadline: Instant,
}

/// Runs the survey, then one probe per device in parallel.
pub fn probe(plan: &Plan) -> Vec<ProbeRun> {
    let deadline = plan.deadline - RESERVE;
    let _busy = signals::Busy::new();
    // Orphaned processes of probes become children of this program rather than of process 1, which in most containers
    // does not reap them.
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
        // Leaves time to exercise the other GPUs.
        nvml_timeout_ms: (left / 2).min(NVML_TIMEOUT).as_millis() as u64,
    };
    let mut runs = run_all(&mut program, vec![(Target::Survey, Task::Survey(survey(true)))], deadline);
    // A crash in NVML says nothing about the driver: survey again without NVML.
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

/// Runs a probe for each task, and waits for probes of other calls that hold the locks of these.
fn run_all(program: &mut start::Program, tasks: Vec<(Target, Task)>, deadline: Instant) -> Vec<ProbeRun> {
    let mut ended = Vec::new();
    let mut tasks = tasks;
    // A lock can be taken between looking at it and starting the probe. Back off, because its holder may be in
    // another PID namespace, where it cannot be seen.
    let mut pause = lock::POLL;
    while !tasks.is_empty() {
        let runs = run_once(program, tasks.clone(), deadline);
        let again = Instant::now() + pause < deadline && signals::signalled().is_none();
        let (late, over): (Vec<_>, Vec<_>) =
            runs.into_iter().partition(|run| again && run.ending == Ending::LockTaken);
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
    // Those with a free lock first: waiting for a lock must not delay the others.
    let (free, locked): (Vec<_>, Vec<_>) =
        tasks.into_iter().partition(|(target, _)| lock::holder(&lock::name(*target)).is_none());
    for (target, task) in free.into_iter().chain(locked) {
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
