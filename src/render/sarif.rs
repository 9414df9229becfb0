//! Findings as a SARIF 2.1.0 log, for services that show them beside the code.
//!
//! A finding is about the files that its evidence names, else about the Dockerfile: these services show no result
//! without a location.

use serde_json::{Value, json};

use crate::model::{AcceptedFinding, Finding, Severity};
use crate::report::Report;

pub fn log(report: &Report) -> Value {
    let accepted = report.accepted.iter().map(|AcceptedFinding { finding, reason, .. }| {
        let mut result = result(finding);
        result["suppressions"] = json!([{ "kind": "external", "justification": reason }]);
        result
    });
    let results: Vec<Value> = report.all_findings().map(result).chain(accepted).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "cudacheck",
                "version": report.version,
                "rules": rules(report),
            }},
            "results": results,
        }],
    })
}

/// The checks that the results refer to, each once.
fn rules(report: &Report) -> Vec<Value> {
    let accepted = report.accepted.iter().map(|accepted| &accepted.finding);
    let mut findings: Vec<&Finding> = report.all_findings().chain(accepted).collect();
    findings.sort_by(|a, b| a.id.cmp(&b.id));
    findings.dedup_by(|a, b| a.id == b.id);
    let rule = |finding: &&Finding| {
        json!({
            "id": finding.id,
            "shortDescription": { "text": finding.title },
            "help": { "text": finding.remedy },
            "defaultConfiguration": { "level": level(finding.severity) },
        })
    };
    findings.iter().map(rule).collect()
}

fn result(finding: &Finding) -> Value {
    let mut paths: Vec<&str> = finding
        .evidence
        .iter()
        .filter_map(|line| line.path.as_deref())
        .chain(finding.path.as_deref())
        .collect();
    let mut seen = std::collections::HashSet::new();
    paths.retain(|path| seen.insert(*path));
    if paths.is_empty() {
        paths.push("Dockerfile");
    }
    let location = |path: &&str| json!({ "physicalLocation": { "artifactLocation": { "uri": uri(path.trim_start_matches('/')) } } });
    let on = finding.machine.as_deref().map(|node| format!("On {node}: ")).unwrap_or_default();
    json!({
        "ruleId": finding.id,
        "level": level(finding.severity),
        "message": { "text": format!("{on}{}. {} Remedy: {}", finding.title, finding.cause, finding.remedy) },
        "locations": paths.iter().take(LOCATIONS).map(location).collect::<Vec<_>>(),
    })
}

/// Services show the first of them.
const LOCATIONS: usize = 10;

/// A path as a URI reference: characters that are reserved or not ASCII are percent-encoded.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~+@,=".contains(&byte);
    path.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning | Severity::Unknown => "warning",
        Severity::Note => "note",
    }
}
