//! Findings: the cause first, then the evidence, then what to do.

use super::layout::{Ink, Style, heading, wrap};
use crate::model::{Finding, Fix, Owner, Severity};
use crate::report::Report;

pub fn findings(out: &mut String, report: &Report, style: Style) {
    let accepted = match report.accepted.len() {
        0 => String::new(),
        number => format!("{number} accepted · "),
    };
    if report.findings.is_empty() {
        heading(out, style, "Findings", &format!("{accepted}none"));
        return;
    }
    heading(out, style, "Findings", &format!("{accepted}run cudacheck explain ID for more"));
    for finding in &report.findings {
        one_finding(out, finding, style);
    }
}

/// Who has to act, and what fixes it.
fn owner_and_fix(finding: &Finding) -> String {
    let fix = match finding.fix {
        Fix::Restart => "restart the container",
        Fix::RecreateSame | Fix::Recreate => "recreate the container",
        Fix::Rebuild => "rebuild the image",
        Fix::Host => "on the host",
        Fix::Wait => "wait",
        Fix::Update => "update cudacheck",
    };
    match finding.owner {
        Owner::Nobody => "  (no action needed)".to_owned(),
        owner => format!("  (owner: {owner}; fix: {fix})"),
    }
}

/// Lines of evidence that are shown; JSON has them all.
const EVIDENCE: usize = 6;

pub fn one_finding(out: &mut String, finding: &Finding, style: Style) {
    let (word, ink) = match finding.severity {
        Severity::Error => ("✘ error", Ink::Bad),
        Severity::Unknown => ("? unknown", Ink::Warn),
        Severity::Warning => ("! warning", Ink::Warn),
        Severity::Note => ("· note", Ink::Dim),
    };
    // Warnings and notes are advice, so they need no owner.
    let owner = if finding.severity >= Severity::Unknown { owner_and_fix(finding) } else { String::new() };
    let about = style.paint(Ink::Dim, &format!("{}{owner}", finding.id));
    *out += &format!("  {}  {about}\n", style.paint(ink, word));
    wrap(out, &finding.title, "    ", style, Ink::Bold);
    wrap(out, &finding.cause, "    ", style, Ink::Plain);
    for line in finding.evidence.iter().take(EVIDENCE) {
        wrap(out, &format!("- {}", line.text), "      ", style, Ink::Dim);
    }
    if finding.evidence.len() > EVIDENCE {
        *out += &style.paint(Ink::Dim, &format!("      - and {} more\n", finding.evidence.len() - EVIDENCE));
    }
    wrap(out, &format!("→ {}", finding.remedy), "    ", style, Ink::Plain);
    if !finding.explains.is_empty() {
        wrap(out, &format!("also caused by this: {}", finding.explains.join(", ")), "    ", style, Ink::Dim);
    }
}
