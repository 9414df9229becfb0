//! Checks: pure functions from facts to findings. No I/O, no clock, no environment.
//!
//! Each check is a file `FAMILY/NAME.rs` with a constant `CHECK`, its function and its unit tests. [`judge`] runs all
//! of them, gives each finding the id, severity, title and remedy of its check, and folds consequences into their
//! cause. To add a check, write its file, list it in `FAMILY.rs`, and regenerate docs/checks.md (CUDACHECK_BLESS=1).

/// The checks of a family, in the order of the report: each name is a module with a `CHECK`.
macro_rules! family {
    ($($check:ident)*) => {
        $(mod $check;)*

        pub const CHECKS: &[$crate::checks::Check] = &[$($check::CHECK),*];
    };
}

mod application;
mod code;
mod device;
mod driver;
mod image;
mod launch;
mod leftovers;
mod library;
mod math;
mod node;
mod predict;
mod probe;
mod shared;

use crate::codes::Family;
use crate::facts::{Accepted, Facts};
use crate::model::{Evidence, Fix, GpuRef, Owner, Question, Severity};
use crate::report::{AcceptedFinding, Finding, Judgement, MachineAnswers, Skipped};

pub struct Check {
    /// `family.name`, the argument of `cudacheck explain`.
    pub id: &'static str,
    pub severity: Severity,
    pub owner: Owner,
    pub fix: Fix,
    pub title: &'static str,
    /// Background, for `cudacheck explain` and docs/checks.md.
    pub why: &'static str,
    /// A command, or a sentence that begins with a verb. A problem may have a more specific one.
    pub remedy: &'static str,
    /// Ids of checks whose findings are consequences of this one.
    pub explains: &'static [&'static str],
    /// Error codes that applications show in this case, for `cudacheck explain 803`.
    pub codes: &'static [(Family, i64)],
    pub judge: fn(&Facts) -> Outcome,
}

pub enum Outcome {
    Pass,
    /// The check could not run, and why. Never a pass.
    Skip(&'static str),
    Fail(Vec<Problem>),
}

/// One failure of a check: what depends on the facts.
#[derive(Default)]
pub struct Problem {
    pub cause: String,
    pub evidence: Vec<Evidence>,
    /// The file that the cause is about.
    pub path: Option<String>,
    pub gpu: Option<GpuRef>,
    /// The described machine that it is about, and the question that it answers.
    pub machine: Option<String>,
    pub question: Option<Question>,
    pub remedy: Option<String>,
}

impl Problem {
    pub fn new(cause: impl Into<String>) -> Self {
        Problem { cause: cause.into(), ..Problem::default() }
    }

    pub fn evidence(mut self, line: impl Into<Evidence>) -> Self {
        self.evidence.push(line.into());
        self
    }

    /// A line of evidence that begins with the path of a file.
    pub fn file(self, path: &str, rest: &str) -> Self {
        self.evidence(Evidence::of(path, rest))
    }

    /// The file that the cause is about.
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    pub fn gpu(mut self, gpu: Option<GpuRef>) -> Self {
        self.gpu = gpu;
        self
    }

    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

#[cfg(test)]
impl Outcome {
    /// None of a check that passed or was skipped.
    pub fn problems(self) -> Vec<Problem> {
        match self {
            Outcome::Fail(problems) => problems,
            Outcome::Pass | Outcome::Skip(_) => Vec::new(),
        }
    }

    pub fn causes(self) -> Vec<String> {
        self.problems().into_iter().map(|problem| problem.cause).collect()
    }
}

impl From<Vec<Problem>> for Outcome {
    fn from(problems: Vec<Problem>) -> Self {
        if problems.is_empty() { Outcome::Pass } else { Outcome::Fail(problems) }
    }
}

impl From<Option<Problem>> for Outcome {
    fn from(problem: Option<Problem>) -> Self {
        problem.into_iter().collect::<Vec<_>>().into()
    }
}

/// All checks, causes before consequences.
pub const CHECKS: &[&[Check]] = &[
    launch::CHECKS,
    image::CHECKS,
    node::CHECKS,
    probe::CHECKS,
    driver::CHECKS,
    device::CHECKS,
    math::CHECKS,
    library::CHECKS,
    code::CHECKS,
    leftovers::CHECKS,
    application::CHECKS,
    predict::CHECKS,
];

pub fn all() -> impl Iterator<Item = &'static Check> {
    CHECKS.iter().copied().flatten()
}

pub fn judge(facts: &Facts) -> Judgement {
    let mut failed: Vec<(&Check, Vec<Problem>)> = Vec::new();
    let mut skipped = Vec::new();
    for check in all() {
        match (check.judge)(facts) {
            Outcome::Pass => {}
            Outcome::Skip(why) => skipped.push(Skipped { id: check.id.to_owned(), why: why.to_owned() }),
            Outcome::Fail(problems) => failed.push((check, problems)),
        }
    }
    let ids: Vec<&str> = failed.iter().map(|(check, _)| check.id).collect();
    // A cause on one GPU does not explain a finding on another.
    let explained = |id: &str, gpu: Option<&GpuRef>| {
        let same = |cause: &Problem| match (&cause.gpu, gpu) {
            (Some(cause), Some(gpu)) => cause.is_same(gpu),
            _ => true,
        };
        failed.iter().any(|(check, causes)| check.explains.contains(&id) && causes.iter().any(same))
    };
    let mut findings: Vec<Finding> = Vec::new();
    for (check, problems) in &failed {
        let explains: Vec<String> =
            check.explains.iter().filter(|id| ids.contains(id)).map(|id| (*id).to_owned()).collect();
        let active = problems.iter().filter(|problem| !explained(check.id, problem.gpu.as_ref()));
        findings.extend(active.map(|problem| Finding {
            id: check.id.to_owned(),
            severity: check.severity,
            owner: check.owner,
            fix: check.fix,
            title: check.title.to_owned(),
            cause: problem.cause.clone(),
            remedy: problem.remedy.clone().unwrap_or_else(|| check.remedy.to_owned()),
            evidence: problem.evidence.clone(),
            path: problem.path.clone(),
            gpu: problem.gpu.clone(),
            machine: problem.machine.clone(),
            explains: explains.clone(),
        }));
    }
    // The sort is stable: of equal severity, causes stay before their consequences.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let (findings, accepted) = accept(findings, facts);
    Judgement { findings, accepted, skipped, machines: machines(facts, &failed) }
}

/// The answers about each described machine, with the checks that failed on them.
fn machines(facts: &Facts, failed: &[(&Check, Vec<Problem>)]) -> Vec<MachineAnswers> {
    let mut machines = predict::answers(facts);
    for one in &mut machines {
        for answer in &mut one.answers {
            let about = |problem: &Problem| {
                problem.machine.as_ref() == Some(&one.machine.name)
                    && problem.question == Some(answer.question)
            };
            let failed = failed.iter().filter(|(_, problems)| problems.iter().any(about));
            answer.checks = failed.map(|(check, _)| check.id).collect();
        }
    }
    machines
}

/// Splits off the accepted findings. A finding whose acceptance has expired gets a line of evidence.
fn accept(findings: Vec<Finding>, facts: &Facts) -> (Vec<Finding>, Vec<AcceptedFinding>) {
    let (mut active, mut accepted) = (Vec::new(), Vec::new());
    for mut finding in findings {
        let lines = || std::iter::once(&finding.cause).chain(finding.evidence.iter().map(|line| &line.text));
        let about = |rule: &&Accepted| {
            rule.id == finding.id
                && rule.about.as_ref().is_none_or(|about| lines().any(|line| line.contains(about.as_str())))
        };
        let rules: Vec<&Accepted> = facts.request.accepted.iter().filter(about).collect();
        // Facts without a date are of a command that accepts nothing.
        let holds = |rule: &&&Accepted| rule.until.is_none_or(|until| Some(until) >= facts.request.today);
        if let Some(rule) = rules.iter().find(holds) {
            let (reason, until) = (rule.reason.clone(), rule.until.map(|until| until.to_string()));
            accepted.push(AcceptedFinding { finding, reason, until });
            continue;
        }
        let expired = rules.first().and_then(|rule| rule.until.as_ref());
        finding.evidence.extend(
            expired.map(|until| format!("accepted until {until}; the acceptance has expired").into()),
        );
        active.push(finding);
    }
    (active, accepted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::{Api, Event, Fault, Outcome as Stopped};
    use crate::facts::probe::{ProbeRun, Target};
    use crate::facts::sample::Sample;
    use crate::model::Level;
    use crate::model::Stage;

    #[test]
    fn the_list_is_consistent() {
        let ids: Vec<&str> = all().map(|check| check.id).collect();
        for check in all() {
            let (family, name) = check.id.split_once('.').expect("family.name");
            let plain = |part: &str| {
                !part.is_empty()
                    && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            };
            assert!(plain(family) && plain(name), "{}", check.id);
            assert_eq!(ids.iter().filter(|id| **id == check.id).count(), 1, "{} is unique", check.id);
            for text in [check.title, check.why, check.remedy] {
                assert!(!text.trim().is_empty() && text.is_ascii(), "{}: {text}", check.id);
            }
            assert!(!check.title.ends_with('.'), "{}: no full stop", check.id);
            for other in check.explains {
                assert!(ids.contains(other), "{} explains {other}", check.id);
                assert_ne!(*other, check.id);
            }
        }
    }

    #[test]
    fn no_check_explains_itself() {
        fn reaches(from: &str, wanted: &str, depth: usize) -> bool {
            let check = all().find(|check| check.id == from).expect("ids are known");
            depth > 0 && check.explains.iter().any(|id| *id == wanted || reaches(id, wanted, depth - 1))
        }
        for check in all() {
            assert!(!reaches(check.id, check.id, 6), "{}", check.id);
        }
    }

    #[test]
    fn a_cause_on_one_gpu_does_not_explain_another() {
        let fault = |gpu, code| {
            let mut run = ProbeRun::new(Target::Gpu(gpu));
            let fault = Fault {
                api: Api::Driver,
                call: "cuModuleLoadDataEx".into(),
                code: Some(code),
                name: None,
                detail: String::new(),
            };
            let outcome = Stopped::Failed(fault);
            run.events.push(Event::Left { stage: Stage::Jit, gpu: Some(gpu), seconds: 0.0, outcome });
            run
        };
        let mut facts = Facts { probes: vec![fault(0, 222), fault(1, 218)], ..Facts::default() };
        facts.request.level = Level::Image;
        let seen: Vec<_> = judge(&facts)
            .findings
            .into_iter()
            .map(|finding| (finding.id, finding.gpu.and_then(|gpu| gpu.ordinal)))
            .collect();
        assert!(seen.contains(&("device.ptx-too-new".to_owned(), Some(0))), "{seen:?}");
        assert!(seen.contains(&("device.jit".to_owned(), Some(1))), "{seen:?}");
        assert!(!seen.contains(&("device.jit".to_owned(), Some(0))), "{seen:?}");
    }

    #[test]
    fn an_accepted_finding_is_not_active() {
        let mut facts = Facts::default();
        facts.census.unreadable = vec!["/secret: Permission denied".to_owned().into()];
        facts.request.today = Some(jiff::civil::date(2026, 11, 24));
        let judged = |about: Option<&str>, until: Option<&str>| {
            let mut facts = facts.clone();
            let about = about.map(str::to_owned);
            let until = until.map(|until| until.parse().unwrap());
            facts.request.accepted =
                vec![Accepted { id: "library.unreadable".into(), about, reason: "known".into(), until }];
            let judgement = judge(&facts);
            let active = judgement.findings.iter().find(|finding| finding.id == "library.unreadable");
            (
                active.map(|finding| {
                    finding.evidence.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("; ")
                }),
                judgement.accepted.len(),
            )
        };
        assert_eq!(judged(None, None), (None, 1));
        assert_eq!(judged(Some("/secret"), Some("2026-11-24")), (None, 1));
        assert_eq!(judged(Some("/other"), None), (Some("/secret: Permission denied".into()), 0));
        let (expired, _) = judged(None, Some("2026-11-23"));
        assert!(expired.unwrap().ends_with("accepted until 2026-11-23; the acceptance has expired"));
    }

    #[test]
    fn a_healthy_machine_has_no_findings() {
        for gpus in [1, 8] {
            let findings = judge(&Sample::machine(gpus).facts()).findings;
            assert!(findings.iter().all(|finding| finding.severity == Severity::Note), "{findings:#?}");
        }
    }

    #[test]
    fn a_machine_without_facts_is_not_healthy() {
        let mut facts = Facts::default();
        facts.request.level = Level::Gemm;
        facts.request.running = true;
        let findings = judge(&facts).findings;
        assert!(findings.iter().any(|finding| finding.severity >= Severity::Unknown), "{findings:?}");
    }
}
