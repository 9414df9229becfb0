//! The confusion matrix: every failure mode of a GPU container, built as it occurs, and the finding that must come
//! first; healthy set-ups that look broken, which must have no finding; remedies, applied.
//!
//! `faults` and `healthy` are the tables, `machine` builds what they name. docs/matrix.md records a run. Fakes and
//! stand-ins make failures repeatable and prove nothing about hardware: modes that need hardware are listed as
//! unverified.

mod faults;
mod healthy;
mod machine;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::Value;

use crate::util::{SOURCE, ids, skip};
use faults::FAULTS;
use healthy::HEALTHY;
use machine::Machine;

pub struct Scenario {
    /// Failure modes: family letter and number. More than one if they look the same from inside.
    mode: &'static str,
    title: &'static str,
    level: &'static str,
    expected: Expected,
    build: fn() -> Machine,
    /// The remedy, where it can be applied here. The machine must then be healthy.
    fix: Option<fn(Machine) -> Machine>,
}

enum Expected {
    /// This finding comes first.
    First(&'static str),
    /// Status 0 and nothing worse than a note, except one finding.
    Healthy { except: Option<&'static str> },
}

const fn fault(
    mode: &'static str,
    title: &'static str,
    level: &'static str,
    first: &'static str,
    build: fn() -> Machine,
) -> Scenario {
    Scenario { mode, title, level, expected: Expected::First(first), build, fix: None }
}

const fn healthy(title: &'static str, level: &'static str, build: fn() -> Machine) -> Scenario {
    Scenario { mode: "", title, level, expected: Expected::Healthy { except: None }, build, fix: None }
}

impl Scenario {
    const fn fixed_by(self, fix: fn(Machine) -> Machine) -> Scenario {
        Scenario { fix: Some(fix), ..self }
    }

    const fn except(self, id: &'static str) -> Scenario {
        Scenario { expected: Expected::Healthy { except: Some(id) }, ..self }
    }

    fn expected(&self) -> &'static str {
        match self.expected {
            Expected::First(id) => id,
            Expected::Healthy { except } => except.unwrap_or(NOTHING),
        }
    }

    fn run(&self) -> Outcome {
        let mut machine = (self.build)();
        if let Some(what) = machine.lacks {
            return Outcome { seen: None, wrong: None, lacks: Some(what) };
        }
        let (report, status) = machine.report(self.level);
        let (seen, mut wrong) = match self.expected {
            Expected::First(id) => {
                let first = ids(&report).first().map_or(NOTHING, |id| *id).to_owned();
                // One cause: no other error, and no unknown.
                let wrong = (first != id || others(&report) > 0).then(|| format!("{:?}", ids(&report)));
                (first, wrong)
            }
            Expected::Healthy { except } => {
                let grave: Vec<&str> = grave(&report).into_iter().filter(|id| Some(*id) != except).collect();
                let missed = except.filter(|id| !ids(&report).contains(id));
                let right = grave.is_empty() && missed.is_none() && status == 0;
                let seen = grave.first().copied().unwrap_or(if missed.is_some() {
                    NOTHING
                } else {
                    self.expected()
                });
                (seen.to_owned(), (!right).then(|| format!("status {status}, {:?}", ids(&report))))
            }
        };
        if let Some(fix) = self.fix
            && wrong.is_none()
        {
            let (report, status) = fix(machine).report(self.level);
            let left = grave(&report);
            if !left.is_empty() || status != 0 || ids(&report).contains(&self.expected()) {
                wrong = Some(format!("the remedy leaves status {status}, {:?}", ids(&report)));
            }
        }
        Outcome { seen: Some(seen), wrong, lacks: None }
    }
}

/// Instead of an id.
const NOTHING: &str = "-";

struct Outcome {
    /// The first finding.
    seen: Option<String>,
    /// Why the result is wrong.
    wrong: Option<String>,
    /// What this test machine lacks, if the scenario was not run.
    lacks: Option<String>,
}

/// Number of errors and unknowns beside the first finding.
fn others(report: &Value) -> usize {
    let findings = report["findings"].as_array().unwrap();
    let grave = |finding: &&Value| finding["severity"] == "error" || finding["severity"] == "unknown";
    findings.iter().filter(grave).filter(|finding| finding["id"] != findings[0]["id"]).count()
}

/// Findings that a healthy container must not have.
fn grave(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["severity"] != "note")
        .map(|finding| finding["id"].as_str().unwrap())
        .collect()
}

/// Modes without a scenario, and why: a test without hardware cannot build them, or the container never starts.
#[rustfmt::skip]
const UNVERIFIED: &[(&str, &str)] = &[
    ("A2", "The engine does not start the container: no NVIDIA Container Toolkit or no host driver."),
    ("B5", "The engine does not start the container: unresolvable CDI device."),
    ("C12", "Xid errors are in the host's kernel log, which containers cannot read."),
    ("D5", "MIG instances created after the start: from inside, they look like instances that were never injected."),
    ("D13", "A CUDA context with a sticky error: other processes cannot see it."),
    ("E12", "Peer access that returns wrong data: needs two GPUs and an IOMMU."),
    ("E13", "CUDA IPC between containers: needs two containers with GPUs."),
    ("E14", "IMEX channels: needs a multi-node NVLink domain."),
];

/// Families of failure modes, and the number of modes in each.
const CATALOGUE: [(char, u32); 6] = [('A', 17), ('B', 12), ('C', 18), ('D', 13), ('E', 14), ('F', 2)];

#[test]
fn every_failure_mode_has_a_scenario_or_is_listed_as_unverified() {
    let shown = FAULTS.iter().flat_map(|scenario| scenario.mode.split(", "));
    let covered: BTreeSet<&str> = shown.chain(UNVERIFIED.iter().map(|(mode, _)| *mode)).collect();
    let modes =
        CATALOGUE.iter().flat_map(|(family, count)| (1..=*count).map(move |n| format!("{family}{n}")));
    let modes: BTreeSet<String> = modes.collect();
    assert_eq!(covered, modes.iter().map(String::as_str).collect());
    assert!(HEALTHY.len() >= 10);
}

#[test]
fn every_scenario_is_on_the_diagonal() {
    let scenarios: Vec<&Scenario> = FAULTS.iter().chain(HEALTHY).collect();
    let outcomes = run_all(&scenarios);
    machine::clean();
    println!("{}", matrix(&scenarios, &outcomes));
    let mut wrong = Vec::new();
    let mut whole = true;
    for (scenario, outcome) in scenarios.iter().zip(&outcomes) {
        let name = format!("{:<6} {}", scenario.mode, scenario.title);
        if let Some(what) = &outcome.lacks {
            skip(&format!("{name}: this machine lacks {what}"));
            whole = false;
        }
        if let Some(why) = &outcome.wrong {
            wrong.push(format!("{name}: {} expected, {why}", scenario.expected()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} are off the diagonal:\n{}",
        wrong.len(),
        outcomes.len(),
        wrong.join("\n")
    );
    if whole {
        is_current("docs/matrix.md", &document(&scenarios, &outcomes));
    }
}

/// Runs scenarios in parallel, each in its own namespaces.
fn run_all(scenarios: &[&Scenario]) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let place = next.fetch_add(1, Relaxed)
                    && let Some(scenario) = scenarios.get(place)
                {
                    let outcome = scenario.run();
                    done.lock().unwrap().insert(place, outcome);
                }
            });
        }
    });
    let done = done.into_inner().unwrap();
    assert_eq!(done.len(), scenarios.len(), "every scenario was run");
    done.into_values().collect()
}

/// Counts of expected and seen ids; `=` is the diagonal.
fn matrix(scenarios: &[&Scenario], outcomes: &[Outcome]) -> String {
    let mut cells: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for (scenario, outcome) in scenarios.iter().zip(outcomes) {
        if let Some(seen) = &outcome.seen {
            *cells.entry((scenario.expected(), seen)).or_default() += 1;
        }
    }
    let mut text = String::new();
    for ((expected, seen), count) in cells {
        let seen = if expected == seen { "=" } else { seen };
        writeln!(text, "{expected:<28} {seen:<28} {count}").unwrap();
    }
    text
}

fn document(scenarios: &[&Scenario], outcomes: &[Outcome]) -> String {
    let link = |id: &str| match id {
        NOTHING => "none".to_owned(),
        id => format!("[{id}](checks.md#{})", id.replace('.', "")),
    };
    let mut text = "# The confusion matrix\n\n\
        Generated: `CUDACHECK_BLESS=1 cargo test --test it matrix` writes it.\n\n\
        Each failure mode is built as it occurs (fakes that return the driver's error codes, NVIDIA's own \
        libraries without a kernel module, mounts, device nodes, environment variables, a device cgroup). The first \
        finding of the report must be the expected one, without another error. Where the remedy or a stand-in for it \
        can be applied here, the machine must be healthy afterwards. SELinux, seccomp, gVisor, WSL, Jetson and the \
        memory limit are files with the content that those would have. Fakes make failures repeatable; nothing here \
        is evidence about hardware.\n\n## Faults\n\n\
        | mode | fault | expected first | seen first | after the fix |\n\
        |---|---|---|---|---|\n"
        .to_owned();
    let rows = || scenarios.iter().zip(outcomes);
    for (scenario, outcome) in rows().filter(|(scenario, _)| !scenario.mode.is_empty()) {
        let seen = match outcome.seen.as_deref().unwrap_or(NOTHING) {
            seen if seen == scenario.expected() => "the same".to_owned(),
            seen => link(seen),
        };
        let fixed = if scenario.fix.is_some() { "healthy" } else { "" };
        let (mode, title, expected) = (scenario.mode, scenario.title, scenario.expected());
        writeln!(text, "| {mode} | {title} | {} | {} | {fixed} |", link(expected), seen).unwrap();
    }
    text += "\n## Healthy\n\nStatus 0, and nothing worse than a note.\n\n| set-up | findings |\n|---|---|\n";
    for (scenario, outcome) in rows().filter(|(scenario, _)| scenario.mode.is_empty()) {
        let seen = outcome.seen.as_deref().unwrap_or(NOTHING);
        writeln!(text, "| {} | {} |", scenario.title, link(seen)).unwrap();
    }
    text += "\n## Unverified\n\n\
        Modes that need hardware, or with which the container does not start.\n\n\
        | mode | why |\n|---|---|\n";
    for (mode, why) in UNVERIFIED {
        writeln!(text, "| {mode} | {why} |").unwrap();
    }
    text
}

/// Compares a generated file, and writes it on request.
fn is_current(file: &str, text: &str) {
    let path = Path::new(SOURCE).join(file);
    if std::env::var_os("CUDACHECK_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "{file} is out of date; CUDACHECK_BLESS=1 cargo test --test it matrix writes it");
}
