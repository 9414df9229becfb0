//! Predictions: the answers about each described machine, with the findings about it.

use super::{Decided, Foretold, Prediction};
use crate::checks::{Answered, MachineAnswers};
use crate::model::{Evidence, Finding, Severity};

/// One prediction for each machine. The findings about machines are moved out of `findings`.
pub fn predictions(
    machines: Vec<MachineAnswers>,
    image_faults: &[String],
    findings: &mut Vec<Finding>,
) -> Vec<Prediction> {
    let about: Vec<Finding> = findings.extract_if(.., |finding| finding.machine.is_some()).collect();
    let breaks_image = |finding: &&Finding| image_faults.contains(&finding.id);
    let of_image: Vec<&Finding> = findings.iter().filter(breaks_image).collect();
    machines.into_iter().map(|answers| one(answers, &about, &of_image)).collect()
}

fn one(answers: MachineAnswers, about: &[Finding], of_image: &[&Finding]) -> Prediction {
    let MachineAnswers { machine, cuda, answers } = answers;
    let own = about.iter().filter(|finding| finding.machine.as_deref() == Some(&machine.name));
    let findings: Vec<Finding> = own.cloned().collect();
    let worst = findings.iter().chain(of_image.iter().copied()).map(|finding| finding.severity).max();
    let verdict = match worst {
        Some(Severity::Error) => Foretold::Fails,
        Some(Severity::Unknown) => Foretold::Unknown,
        Some(Severity::Warning | Severity::Note) => Foretold::WorksWithNotes,
        None => Foretold::Works,
    };
    let decided = answers.into_iter().map(|Answered { question, words, frameworks, checks }| Decided {
        by: question,
        // An accepted finding no longer counts, but the answer stays the same.
        severity: worst_of(&findings, &checks),
        answer: words,
        frameworks,
    });
    Prediction {
        verdict,
        decided: decided.collect(),
        gpu: format!("sm_{}", machine.gpu),
        driver: machine.driver,
        machine: machine.name,
        cuda,
        image: of_image.iter().map(|finding| finding.id.clone()).collect(),
        findings,
    }
}

/// The findings about machines, each once and the most severe first, with the machines that it applies to. The remedy may
/// depend on the machine. Evidence
/// that not all of them share is prefixed with the names of its machines.
pub fn shared(predictions: &[Prediction]) -> Vec<(Finding, Vec<&str>)> {
    let mut shared: Vec<Shared> = Vec::new();
    for prediction in predictions {
        for finding in &prediction.findings {
            let same = |known: &&mut Shared| {
                let known = known.finding;
                (&known.id, &known.cause, &known.remedy) == (&finding.id, &finding.cause, &finding.remedy)
            };
            let known = match shared.iter_mut().find(same) {
                Some(known) => known,
                None => {
                    shared.push(Shared { finding, machines: Vec::new(), evidence: Vec::new() });
                    shared.last_mut().expect("it was put there")
                }
            };
            known.machines.push(&prediction.machine);
            for line in &finding.evidence {
                match known.evidence.iter_mut().find(|(other, _)| *other == line) {
                    Some((_, machines)) => machines.push(&prediction.machine),
                    None => known.evidence.push((line, vec![&prediction.machine])),
                }
            }
        }
    }
    let merged = |Shared { finding, machines, evidence }| {
        let line = |(line, of): (&Evidence, Vec<&str>)| match of.len() == machines.len() {
            true => line.clone(),
            false => Evidence { text: format!("{}: {}", of.join(", "), line.text), path: line.path.clone() },
        };
        let evidence = evidence.into_iter().map(line).collect();
        (Finding { evidence, ..finding.clone() }, machines)
    };
    let severities = [Severity::Error, Severity::Unknown, Severity::Warning, Severity::Note];
    let of =
        |severity| shared.extract_if(.., |shared| shared.finding.severity == severity).collect::<Vec<_>>();
    severities.map(of).into_iter().flatten().map(merged).collect()
}

/// One finding about several machines, and each line of evidence with the machines that have it.
struct Shared<'a> {
    finding: &'a Finding,
    machines: Vec<&'a str>,
    evidence: Vec<(&'a Evidence, Vec<&'a str>)>,
}

fn worst_of(findings: &[Finding], ids: &[&str]) -> Option<Severity> {
    findings.iter().filter(|finding| ids.contains(&finding.id.as_str())).map(|finding| finding.severity).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fix, Owner};

    #[test]
    fn evidence_names_its_machines() {
        let finding = |severity, evidence: &[&str]| Finding {
            id: format!("predict.{severity:?}").to_ascii_lowercase(),
            severity,
            owner: Owner::Node,
            fix: Fix::Host,
            title: String::new(),
            cause: "The same.".into(),
            remedy: String::new(),
            evidence: evidence.iter().map(|line| Evidence::from(*line)).collect(),
            path: None,
            gpu: None,
            machine: None,
            explains: Vec::new(),
        };
        let prediction = |machine: &str, findings: &[Finding]| Prediction {
            machine: machine.to_owned(),
            gpu: "sm_90".into(),
            driver: None,
            cuda: None,
            verdict: Foretold::Fails,
            decided: Vec::new(),
            image: Vec::new(),
            findings: findings.to_vec(),
        };
        let note = finding(Severity::Note, &["x", "own"]);
        let error = |driver| finding(Severity::Error, &["CUDA 13.2", driver]);
        let predictions = [
            prediction("a", &[note, error("driver 535")]),
            prediction("b", &[error("driver 550")]),
            prediction("c", &[error("driver 550")]),
            prediction("d", &[Finding { remedy: "Another.".into(), ..error("driver 550") }]),
        ];
        let shared: Vec<(String, Vec<String>, Vec<&str>)> = shared(&predictions)
            .into_iter()
            .map(|(one, machines)| {
                (one.id, one.evidence.into_iter().map(|line| line.text).collect(), machines)
            })
            .collect();
        let lines = |lines: &[&str]| lines.iter().map(|line| line.to_string()).collect::<Vec<_>>();
        assert_eq!(
            shared,
            [
                (
                    "predict.error".to_owned(),
                    lines(&["CUDA 13.2", "a: driver 535", "b, c: driver 550"]),
                    vec!["a", "b", "c"]
                ),
                ("predict.error".to_owned(), lines(&["CUDA 13.2", "driver 550"]), vec!["d"]),
                ("predict.note".to_owned(), lines(&["x", "own"]), vec!["a"]),
            ]
        );
    }
}
