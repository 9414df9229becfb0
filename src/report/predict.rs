//! Predictions: what was asked about machines, answered from the findings about each.

use super::{Decided, Finding, Foretold, Prediction, Severity};
use crate::checks::{self, About, DriverCuda};
use crate::facts::Facts;
use crate::facts::node::Node;

/// Takes the findings about machines out of `findings`, one prediction for each machine.
pub fn predictions(facts: &Facts, findings: &mut Vec<Finding>) -> Vec<Prediction> {
    let about: Vec<Finding> = findings.extract_if(.., |finding| finding.node.is_some()).collect();
    let of_image: Vec<&Finding> = findings.iter().filter(|finding| keeps_from_working(finding)).collect();
    facts.request.nodes.iter().map(|node| one(facts, node, &about, &of_image)).collect()
}

/// Faults of the image that are the same on every machine. A budget is no matter of working.
fn keeps_from_working(finding: &Finding) -> bool {
    let of_image = finding.id.starts_with("image.") || finding.id.starts_with("library.");
    of_image && finding.id != "library.over-budget" && finding.severity >= Severity::Unknown
}

fn one(facts: &Facts, node: &Node, about: &[Finding], of_image: &[&Finding]) -> Prediction {
    let own = about.iter().filter(|finding| finding.node.as_deref() == Some(&node.name));
    let findings: Vec<Finding> = own.cloned().collect();
    let worst = findings.iter().chain(of_image.iter().copied()).map(|finding| finding.severity).max();
    let verdict = match worst {
        Some(Severity::Error) => Foretold::Fails,
        Some(Severity::Unknown) => Foretold::Unknown,
        Some(Severity::Warning | Severity::Note) => Foretold::WorksWithNotes,
        None => Foretold::Works,
    };
    let decided = checks::answers(facts, node).into_iter().map(|answer| Decided {
        by: match answer.about {
            About::Code => "code",
            About::Cuda => "cuda",
            About::Gpu => "gpu",
            About::Module => "module",
            About::Requirement => "requirement",
        }
        .to_owned(),
        // What is accepted no longer weighs on the answer, which stays as it is.
        severity: worst_of(&findings, &answer.problems.iter().map(|(id, _)| *id).collect::<Vec<_>>()),
        answer: answer.text,
    });
    Prediction {
        node: node.name.clone(),
        gpu: format!("sm_{}", node.gpu),
        driver: node.driver.clone(),
        cuda: DriverCuda::of(node).text(),
        verdict,
        decided: decided.collect(),
        image: of_image.iter().map(|finding| finding.id.clone()).collect(),
        findings,
    }
}

fn worst_of(findings: &[Finding], ids: &[&str]) -> Option<Severity> {
    findings.iter().filter(|finding| ids.contains(&finding.id.as_str())).map(|finding| finding.severity).max()
}
