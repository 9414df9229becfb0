//! The state that requests are answered from: the last result, its age, and counters.
//!
//! A result that is too old is stale, and a stale result is never healthy.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

use super::http::{Answer, Request};
use crate::cli::Serve;
use crate::render;
use crate::render::metrics::{self, Form, Served, View};
use crate::report::{Purpose, Report, Verdict};

/// Time between the end of a check and the start of the next, beyond the interval.
const GRACE: Duration = Duration::from_secs(1);

/// Shared between the thread that checks and the thread that answers.
pub struct Status {
    state: Mutex<State>,
    /// Signals the end of a check.
    ended: Condvar,
    /// How old a result may be.
    max_age: Duration,
    /// The same until a check has passed, because startup checks may take longer.
    max_age_at_start: Duration,
    /// When the server started.
    start: Instant,
}

#[derive(Default)]
struct State {
    last: Option<Finished>,
    /// When the running check began.
    running: Option<Instant>,
    /// A startup check has passed.
    started: bool,
    /// Number of checks by verdict.
    checks: Vec<(Verdict, u64)>,
    /// Number of checks that ended without a report.
    faults: u64,
    /// UUIDs of the GPUs seen so far, by NVML's index.
    uuids: BTreeMap<u32, String>,
}

impl State {
    /// Adds the UUIDs of lost GPUs, which NVML no longer reports, so that their metrics keep their labels.
    fn fill_in_uuids(&mut self, report: &mut Report) {
        for gpu in &report.gpus {
            if let (Some(index), Some(uuid), false) = (gpu.id.index, &gpu.id.uuid, gpu.id.mig) {
                self.uuids.insert(index, uuid.clone());
            }
        }
        for gpu in report.gpu_refs().filter(|gpu| gpu.uuid.is_none()) {
            gpu.uuid = gpu.index.and_then(|index| self.uuids.get(&index).cloned());
        }
    }
}

/// A check that has ended.
struct Finished {
    at: Instant,
    /// The same in wall-clock time, for metrics.
    clock: SystemTime,
    /// The report and its JSON, or why there is none.
    report: Result<(Report, String), String>,
}

impl Status {
    pub fn new(options: &Serve) -> Self {
        let usual = 3 * options.interval + options.watch.timeout;
        let max_age = options.max_age.unwrap_or(usual);
        let first = options.startup_timeout.max(options.watch.timeout) + options.interval;
        Status {
            state: Mutex::default(),
            ended: Condvar::new(),
            max_age,
            max_age_at_start: max_age.max(first + GRACE),
            start: Instant::now(),
        }
    }

    /// A check begins.
    pub fn begin(&self) {
        self.lock().running = Some(Instant::now());
    }

    /// The running check has ended.
    pub fn record(&self, result: Result<Report>) {
        let mut state = self.lock();
        let report = result.map_err(|error| format!("{error:#}")).map(|mut report| {
            state.fill_in_uuids(&mut report);
            let json = render::to_json(&report);
            (report, json)
        });
        state.running = None;
        match &report {
            Ok((report, _)) => {
                state.started |= report.failing(Purpose::Startup).is_none();
                let verdict = report.verdict;
                match state.checks.iter_mut().find(|(known, _)| *known == verdict) {
                    Some((_, count)) => *count += 1,
                    None => state.checks.push((verdict, 1)),
                }
            }
            Err(_) => state.faults += 1,
        }
        state.last = Some(Finished { at: Instant::now(), clock: SystemTime::now(), report });
        self.ended.notify_all();
    }

    /// The running check was interrupted, and does not count.
    pub fn discard(&self) {
        self.lock().running = None;
        self.ended.notify_all();
    }

    pub fn started(&self) -> bool {
        self.lock().started
    }

    /// Waits until no check is running, or until `end`.
    pub fn wait_for_check(&self, end: Instant) {
        let mut state = self.lock();
        while state.running.is_some() && Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub fn answer(&self, request: &Request) -> Answer {
        match request.path {
            "/livez" => self.probe(Purpose::Liveness),
            "/readyz" => self.probe(Purpose::Readiness),
            "/startupz" => self.probe(Purpose::Startup),
            "/metrics" if request.open_metrics => {
                Answer { status: 200, kind: metrics::OPEN_METRICS, body: self.metrics(Form::OpenMetrics) }
            }
            "/metrics" => {
                Answer { status: 200, kind: metrics::PROMETHEUS, body: self.metrics(Form::Prometheus) }
            }
            "/report" => self.report(),
            _ => text(404, "not found; try /livez, /readyz, /startupz, /metrics or /report\n".to_owned()),
        }
    }

    fn report(&self) -> Answer {
        let state = self.lock();
        match (self.stale(&state), state.last.as_ref().map(|last| &last.report)) {
            (Some(stale), _) => text(503, stale),
            (None, Some(Ok((_, json)))) => {
                Answer { status: 200, kind: "application/json", body: json.clone() }
            }
            (None, Some(Err(error))) => text(503, format!("no report: {error}\n")),
            (None, None) => text(503, "starting: the first check is still running\n".to_owned()),
        }
    }

    fn probe(&self, purpose: Purpose) -> Answer {
        let state = self.lock();
        if let Some(stale) = self.stale(&state) {
            return text(503, stale);
        }
        let Some(last) = &state.last else {
            // Do not let kubelet kill a container that is still starting.
            let status = if purpose == Purpose::Liveness { 200 } else { 503 };
            return text(status, "starting: the first check is still running\n".to_owned());
        };
        match &last.report {
            // Restarting the container would not help.
            Err(error) if purpose == Purpose::Liveness => text(200, format!("alive: {error}\n")),
            Err(error) => text(503, format!("unhealthy: {error}\n")),
            // Later failures are reported by the other two endpoints.
            Ok(_) if purpose == Purpose::Startup && state.started => {
                text(200, "healthy: started\n".to_owned())
            }
            Ok((report, _)) => {
                let failing = report.failing(purpose).is_some();
                text(if failing { 503 } else { 200 }, render::line(report, purpose))
            }
        }
    }

    /// How old a result may be.
    fn limit(&self, state: &State) -> Duration {
        if state.started { self.max_age } else { self.max_age_at_start }
    }

    /// One line of text if the last result is too old, or the first one is overdue.
    fn stale(&self, state: &State) -> Option<String> {
        let since = state.last.as_ref().map_or(self.start, |last| last.at);
        let limit = self.limit(state);
        let age = since.elapsed();
        if age <= limit {
            return None;
        }
        let running = state.running.map_or(String::new(), |since| {
            format!("; a check has been running for {:.0} s", since.elapsed().as_secs_f64())
        });
        let (age, limit) = (age.as_secs_f64(), limit.as_secs_f64());
        let what = match &state.last {
            Some(_) => format!("the last check ended {age:.1} s ago"),
            None => format!("no check has ended in the {age:.1} s since the start"),
        };
        Some(format!(
            "stale: {what} (limit {limit:.1} s){running} -> Raise --max-age if checks take this \
             long; if one never ends, check `dmesg | grep -i -e xid -e nvrm` on the host\n"
        ))
    }

    pub fn metrics(&self, form: Form) -> String {
        let state = self.lock();
        let served = Served {
            stale: self.stale(&state).is_some(),
            started: state.started,
            checks: state.checks.clone(),
            faults: state.faults,
            running: state.running.map_or(0.0, |since| since.elapsed().as_secs_f64()),
            max_age: self.limit(&state).as_secs_f64(),
        };
        let report = state.last.as_ref().and_then(|last| last.report.as_ref().ok());
        let view = View {
            report: report.map(|(report, _)| report),
            clock: state.last.as_ref().map(|last| last.clock),
            served: Some(&served),
        };
        metrics::render(&view, form)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds it panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text(status: u16, body: String) -> Answer {
    Answer { status, kind: "text/plain; charset=utf-8", body }
}
