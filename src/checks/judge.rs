//! Runs all checks on facts: gives each finding the texts of its check, folds consequences into their cause, and
//! separates what the configuration accepts.

use super::{Check, Judgement, MachineAnswers, Outcome, Problem, all, image, library, predict};
use crate::facts::{Accepted, Facts};
use crate::model::{AcceptedFinding, Finding, GpuRef, Severity, Skipped};

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
    let image_faults = findings.iter().filter(|finding| breaks_image(finding));
    let image_faults = image_faults.map(|finding| finding.id.clone()).collect();
    Judgement { image_faults, findings, accepted, skipped, machines: machines(facts, &failed) }
}

fn breaks_image(finding: &Finding) -> bool {
    let of_image = image::CHECKS.iter().any(|check| check.id == finding.id);
    (of_image || library::breaks_image(&finding.id)) && finding.severity >= Severity::Unknown
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
        // Facts without a date are from a command that accepts nothing.
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
    use crate::checks::FAMILIES;
    use crate::facts::event::{Api, Event, Fault, Outcome as Stopped};
    use crate::facts::probe::{ProbeRun, Target};
    use crate::facts::sample::Sample;
    use crate::model::Stage;
    use crate::model::{Level, Severity};
    use image_audit::census::Unreadable;

    #[test]
    fn the_list_is_consistent() {
        let ids: Vec<&str> = all().map(|check| check.id).collect();
        for check in all() {
            let (family, name) = check.id.split_once('.').expect("family.name");
            let of = FAMILIES.iter().find(|of| of.checks.iter().any(|other| other.id == check.id));
            assert_eq!(of.map(|of| of.name), Some(family), "{}", check.id);
            let plain = |part: &str| {
                !part.is_empty()
                    && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            };
            assert!(plain(family) && plain(name), "{}", check.id);
            assert_eq!(ids.iter().filter(|id| **id == check.id).count(), 1, "{} is unique", check.id);
            for text in [check.title, check.why, check.remedy] {
                assert!(!text.trim().is_empty() && text.is_ascii(), "{}: {text}", check.id);
            }
            for text in [check.title, check.remedy] {
                assert!(!text.ends_with('.'), "{}: no full stop: {text}", check.id);
            }
            assert!(check.remedy.matches('`').count().is_multiple_of(2), "{}: {}", check.id, check.remedy);
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
        facts.census.unreadable = vec![Unreadable::new("/secret", "Permission denied")];
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
