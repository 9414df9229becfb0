//! What the checks found last, and the answers that follow from it. A result that is too old is stale, which is
//! never healthy.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;

use super::http::{Answer, Request};
use crate::cli::Serve;
use crate::render;
use crate::render::metrics::{self, Form, Served, View};
use crate::report::{Purpose, Report, Verdict};

/// For the end of a check, and the beginning of the next.
const GRACE: Duration = Duration::from_secs(1);

pub struct Status {
    state: Mutex<State>,
    /// A check has ended.
    ended: Condvar,
    /// What a result may be old at most; and as long as none has passed, since those checks may take longer.
    max_age: Duration,
    max_age_at_start: Duration,
    since: Instant,
}

#[derive(Default)]
struct State {
    last: Option<Round>,
    /// When the check that runs now began.
    running: Option<Instant>,
    /// A check at the level for the start has passed.
    started: bool,
    /// How many checks ended so.
    checks: Vec<(Verdict, u64)>,
    /// That ended without a report.
    faults: u64,
    /// UUIDs by NVML's index, of GPUs that have told theirs.
    uuids: BTreeMap<u32, String>,
}

impl State {
    /// A GPU that is lost does not tell its UUID any more; it had one before.
    fn remember_names(&mut self, report: &mut Report) {
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

/// What one check left.
struct Round {
    at: Instant,
    clock: SystemTime,
    /// The report and its JSON, or what kept the check from being made.
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
            since: Instant::now(),
        }
    }

    pub fn begin(&self) {
        self.lock().running = Some(Instant::now());
    }

    pub fn end(&self, result: Result<Report>) {
        let mut state = self.lock();
        let report = result.map_err(|error| format!("{error:#}")).map(|mut report| {
            state.remember_names(&mut report);
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
        state.last = Some(Round { at: Instant::now(), clock: SystemTime::now(), report });
        self.ended.notify_all();
    }

    /// The check that runs is not to count.
    pub fn give_up(&self) {
        self.lock().running = None;
        self.ended.notify_all();
    }

    pub fn started(&self) -> bool {
        self.lock().started
    }

    pub fn wait_for_the_check(&self, end: Instant) {
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
            _ => text(404, "there are /livez, /readyz, /startupz, /metrics and /report here\n".to_owned()),
        }
    }

    fn report(&self) -> Answer {
        let state = self.lock();
        match (self.stale(&state), state.last.as_ref().map(|round| &round.report)) {
            (Some(stale), _) => text(503, stale),
            (None, Some(Ok((_, json)))) => {
                Answer { status: 200, kind: "application/json", body: json.clone() }
            }
            (None, Some(Err(error))) => text(503, format!("no report: {error}\n")),
            (None, None) => text(503, "starting: the first check has not ended yet\n".to_owned()),
        }
    }

    fn probe(&self, purpose: Purpose) -> Answer {
        let state = self.lock();
        if let Some(stale) = self.stale(&state) {
            return text(503, stale);
        }
        let Some(round) = &state.last else {
            // Killing a container that is about to start helps nobody.
            let status = if purpose == Purpose::Liveness { 200 } else { 503 };
            return text(status, "starting: the first check has not ended yet\n".to_owned());
        };
        match &round.report {
            // No fault of the GPU, and none that a new container cures.
            Err(error) if purpose == Purpose::Liveness => text(200, format!("alive: {error}\n")),
            Err(error) => text(503, format!("unhealthy: {error}\n")),
            // What comes after the start is the matter of the other two.
            Ok(_) if purpose == Purpose::Startup && state.started => {
                text(200, "healthy: started\n".to_owned())
            }
            Ok((report, _)) => {
                let failing = report.failing(purpose).is_some();
                text(if failing { 503 } else { 200 }, render::line(report, purpose))
            }
        }
    }

    /// How old a result may be now.
    fn limit(&self, state: &State) -> Duration {
        if state.started { self.max_age } else { self.max_age_at_start }
    }

    /// One line where the last result is too old, or the first one too late.
    fn stale(&self, state: &State) -> Option<String> {
        let (since, what) = match &state.last {
            Some(round) => (round.at, "the last check ended"),
            None => (self.since, "no check has ended since the start"),
        };
        let limit = self.limit(state);
        let age = since.elapsed();
        if age <= limit {
            return None;
        }
        let running = state.running.map_or(String::new(), |since| {
            format!("; one has been running for {:.0} s", since.elapsed().as_secs_f64())
        });
        let (age, limit) = (age.as_secs_f64(), limit.as_secs_f64());
        Some(format!(
            "stale: {what} {age:.1} s ago, and {limit:.1} s are allowed{running} -> Raise --max-age if checks take so \
             long; if one never ends, look at `dmesg | grep -i -e xid -e nvrm` on the host\n"
        ))
    }

    pub fn metrics_for_a_file(&self) -> String {
        self.metrics(Form::Prometheus)
    }

    fn metrics(&self, form: Form) -> String {
        let state = self.lock();
        let served = Served {
            stale: self.stale(&state).is_some(),
            started: state.started,
            checks: state.checks.clone(),
            faults: state.faults,
            running: state.running.map_or(0.0, |since| since.elapsed().as_secs_f64()),
            max_age: self.limit(&state).as_secs_f64(),
        };
        let report = state.last.as_ref().and_then(|round| round.report.as_ref().ok());
        let view = View {
            report: report.map(|(report, _)| report),
            clock: state.last.as_ref().map(|round| round.clock),
            served: Some(&served),
        };
        metrics::render(&view, form)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nobody panics with it held; a value that was left half-way is better than none.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn text(status: u16, body: String) -> Answer {
    Answer { status, kind: "text/plain; charset=utf-8", body }
}
