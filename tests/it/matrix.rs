//! The confusion matrix: every way in which a GPU container fails, built as it occurs, and the finding that
//! must come first; set-ups that only look broken, of which nothing may be said; remedies, carried out.
//!
//! `faults` and `healthy` are the tables, `machine` is how what they name is built. docs/matrix.md is what a
//! run has seen. Fakes and stand-ins make failure repeatable and are no evidence of hardware: the modes that
//! need it are listed as unverified.

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
    /// Of the catalogue: a letter for the family, and a number. Several that look alike from inside.
    mode: &'static str,
    title: &'static str,
    level: &'static str,
    expected: Expected,
    build: fn() -> Machine,
    /// The remedy, as far as it can be carried out here. It must leave a healthy machine.
    fix: Option<fn(Machine) -> Machine>,
}

enum Expected {
    /// This finding leads.
    First(&'static str),
    /// Nothing graver than a note, and status 0; but for the one that is named.
    Healthy { but_for: Option<&'static str> },
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
    Scenario { mode: "", title, level, expected: Expected::Healthy { but_for: None }, build, fix: None }
}

impl Scenario {
    const fn cured(self, fix: fn(Machine) -> Machine) -> Scenario {
        Scenario { fix: Some(fix), ..self }
    }

    const fn but_for(self, id: &'static str) -> Scenario {
        Scenario { expected: Expected::Healthy { but_for: Some(id) }, ..self }
    }

    fn expected(&self) -> &'static str {
        match self.expected {
            Expected::First(id) => id,
            Expected::Healthy { but_for } => but_for.unwrap_or(NOTHING),
        }
    }

    fn play(&self) -> Played {
        let mut machine = (self.build)();
        if let Some(what) = machine.lacks {
            return Played { seen: None, wrong: None, lacks: Some(what) };
        }
        let (report, status) = machine.report(self.level);
        let (seen, mut wrong) = match self.expected {
            Expected::First(id) => {
                let first = ids(&report).first().map_or(NOTHING, |id| *id).to_owned();
                // One cause: no other error stands beside it, and nothing that could not be found out.
                let wrong = (first != id || beside(&report) > 0).then(|| format!("{:?}", ids(&report)));
                (first, wrong)
            }
            Expected::Healthy { but_for } => {
                let grave: Vec<&str> = grave(&report).into_iter().filter(|id| Some(*id) != but_for).collect();
                let missed = but_for.filter(|id| !ids(&report).contains(id));
                let right = grave.is_empty() && missed.is_none() && status == 0;
                let seen = grave.first().copied().unwrap_or(if missed.is_some() {
                    NOTHING
                } else {
                    self.expected()
                });
                (seen.to_owned(), (!right).then(|| format!("status {status}, {:?}", ids(&report))))
            }
        };
        if let Some(cure) = self.fix
            && wrong.is_none()
        {
            let (report, status) = cure(machine).report(self.level);
            let left = grave(&report);
            if !left.is_empty() || status != 0 || ids(&report).contains(&self.expected()) {
                wrong = Some(format!("the remedy leaves status {status}, {:?}", ids(&report)));
            }
        }
        Played { seen: Some(seen), wrong, lacks: None }
    }
}

/// In the place of an id.
const NOTHING: &str = "-";

struct Played {
    /// The finding that led.
    seen: Option<String>,
    /// Why it is off the diagonal.
    wrong: Option<String>,
    /// What this machine lacks, so that nothing was played.
    lacks: Option<String>,
}

/// Errors and unknowns other than the first finding's.
fn beside(report: &Value) -> usize {
    let findings = report["findings"].as_array().unwrap();
    let grave = |finding: &&Value| finding["severity"] == "error" || finding["severity"] == "unknown";
    let others = findings.iter().filter(grave).filter(|finding| finding["id"] != findings[0]["id"]);
    others.count()
}

/// Findings that a healthy container must not have.
fn grave(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["severity"] != "note")
        .map(|finding| finding["id"].as_str().unwrap())
        .collect()
}

/// Modes that no scenario shows, and why: what a test without hardware cannot build, or what keeps the
/// container from ever starting.
#[rustfmt::skip]
const UNVERIFIED: &[(&str, &str)] = &[
    ("A2", "The engine refuses to start the container: toolkit or host driver absent. Nothing runs inside."),
    ("B5", "The engine refuses to start the container: the CDI device is not resolved. Nothing runs inside."),
    ("C12", "Xid errors are in the host's log, which a container does not see."),
    ("D5", "MIG instances made after the start: from inside they look like any that were never given."),
    ("D13", "A context that one process has ruined: no other process sees it."),
    ("E12", "Peer access that is granted and carries wrong data: two GPUs and an IOMMU."),
    ("E13", "CUDA IPC between containers: two containers with GPUs."),
    ("E14", "IMEX channels: a multi-node NVLink domain."),
];

/// Modes of the catalogue: families and how many each has.
const CATALOGUE: [(char, u32); 6] = [('A', 17), ('B', 12), ('C', 18), ('D', 13), ('E', 14), ('F', 2)];

#[test]
fn every_mode_of_the_catalogue_is_shown_or_said_to_be_unverified() {
    let shown = FAULTS.iter().flat_map(|scenario| scenario.mode.split(", "));
    let told: BTreeSet<&str> = shown.chain(UNVERIFIED.iter().map(|(mode, _)| *mode)).collect();
    let modes =
        CATALOGUE.iter().flat_map(|(family, count)| (1..=*count).map(move |n| format!("{family}{n}")));
    let modes: BTreeSet<String> = modes.collect();
    assert_eq!(told, modes.iter().map(String::as_str).collect());
    assert!(HEALTHY.len() >= 10);
}

#[test]
fn every_scenario_is_on_the_diagonal() {
    let scenarios: Vec<&Scenario> = FAULTS.iter().chain(HEALTHY).collect();
    let played = play(&scenarios);
    machine::clean();
    println!("{}", matrix(&scenarios, &played));
    let mut wrong = Vec::new();
    let mut whole = true;
    for (scenario, played) in scenarios.iter().zip(&played) {
        let name = format!("{:<6} {}", scenario.mode, scenario.title);
        if let Some(what) = &played.lacks {
            skip(&format!("{name}: this machine lacks {what}"));
            whole = false;
        }
        if let Some(why) = &played.wrong {
            wrong.push(format!("{name}: {} expected, {why}", scenario.expected()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} are off the diagonal:\n{}",
        wrong.len(),
        played.len(),
        wrong.join("\n")
    );
    if whole {
        is_current("docs/matrix.md", &document(&scenarios, &played));
    }
}

/// All of them, side by side: each is in namespaces of its own.
fn play(scenarios: &[&Scenario]) -> Vec<Played> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let place = next.fetch_add(1, Relaxed)
                    && let Some(scenario) = scenarios.get(place)
                {
                    let played = scenario.play();
                    done.lock().unwrap().insert(place, played);
                }
            });
        }
    });
    let done = done.into_inner().unwrap();
    assert_eq!(done.len(), scenarios.len(), "every scenario was played");
    done.into_values().collect()
}

/// Expected against seen, as often as it occurred; the diagonal is `=`.
fn matrix(scenarios: &[&Scenario], played: &[Played]) -> String {
    let mut cells: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for (scenario, played) in scenarios.iter().zip(played) {
        if let Some(seen) = &played.seen {
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

fn document(scenarios: &[&Scenario], played: &[Played]) -> String {
    let link = |id: &str| match id {
        NOTHING => "none".to_owned(),
        id => format!("[{id}](checks.md#{})", id.replace('.', "")),
    };
    let mut text = "# The confusion matrix\n\n\
        Generated by `cargo test --test it matrix`; `CUDACHECK_BLESS=1` writes it anew.\n\n\
        Each way of failing is built as it occurs (fakes that return the driver's codes, NVIDIA's own \
        libraries without a kernel module, mounts, nodes, environment, a device cgroup), and the first finding of the \
        report is compared with the right one; no other error may stand beside it. Where the remedy can be \
        carried out here, or something that stands for it, it is, and the machine must then be healthy. SELinux, \
        seccomp, gVisor, WSL, Jetson and the memory limit are files that show what those would. Fakes make failure repeatable; nothing here is evidence of \
        hardware.\n\n## Faults\n\n\
        | mode | what is the matter | expected first | seen first | after a cure |\n\
        |---|---|---|---|---|\n"
        .to_owned();
    let rows = || scenarios.iter().zip(played);
    for (scenario, played) in rows().filter(|(scenario, _)| !scenario.mode.is_empty()) {
        let seen = match played.seen.as_deref().unwrap_or(NOTHING) {
            seen if seen == scenario.expected() => "the same".to_owned(),
            seen => link(seen),
        };
        let cured = if scenario.fix.is_some() { "healthy" } else { "" };
        let (mode, title, expected) = (scenario.mode, scenario.title, scenario.expected());
        writeln!(text, "| {mode} | {title} | {} | {} | {cured} |", link(expected), seen).unwrap();
    }
    text += "\n## Healthy\n\nNothing graver than a note, and status 0.\n\n| set-up | findings |\n|---|---|\n";
    for (scenario, played) in rows().filter(|(scenario, _)| scenario.mode.is_empty()) {
        let seen = played.seen.as_deref().unwrap_or(NOTHING);
        writeln!(text, "| {} | {} |", scenario.title, link(seen)).unwrap();
    }
    text += "\n## Unverified\n\n\
        Modes that only hardware can show, or that keep the container from starting.\n\n\
        | mode | why |\n|---|---|\n";
    for (mode, why) in UNVERIFIED {
        writeln!(text, "| {mode} | {why} |").unwrap();
    }
    text
}

/// A file that this test makes: compared, and written on request.
fn is_current(file: &str, text: &str) {
    let path = Path::new(SOURCE).join(file);
    if std::env::var_os("CUDACHECK_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == text,
        "{file} is not what was seen; CUDACHECK_BLESS=1 cargo test --test it matrix writes it"
    );
}
