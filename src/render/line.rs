//! The few lines of a health check. Docker keeps 4096 bytes, people read the first line.

use crate::model::Severity;
use crate::report::{Purpose, Report};

const LIMIT: usize = 4096;

pub fn render(report: &Report, purpose: Purpose) -> String {
    let failing = report.failing(purpose);
    let first = failing.or_else(|| report.failing(Purpose::Readiness));
    let mut text = match (failing, first) {
        (Some(finding), _) => {
            format!("unhealthy: {}. {} -> {}\n", finding.title, finding.cause, finding.remedy)
        }
        (None, Some(finding)) => format!(
            "alive: {}. {} A restart does not fix it. -> {}\n",
            finding.title, finding.cause, finding.remedy
        ),
        (None, None) => format!("healthy: {}\n", report.summary),
    };
    let rest = report.findings.iter().filter(|finding| Some(*finding) != first);
    for finding in rest.filter(|finding| finding.severity > Severity::Note || finding.is_busy()) {
        text += &format!("{}: {}. {}\n", finding.id, finding.title, finding.cause);
    }
    if text.len() > LIMIT {
        let end = (0..=LIMIT - 5).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text += "...\n";
    }
    text
}
