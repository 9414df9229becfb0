//! The few lines of a health check. Docker keeps 4096 bytes, people read the first line.

use crate::report::{Report, Severity, Verdict};

const LIMIT: usize = 4096;

pub fn render(report: &Report) -> String {
    let mut text = match report.verdict {
        Verdict::Verified => format!("healthy: {}\n", report.summary),
        Verdict::Failed | Verdict::Undecided | Verdict::Audited => {
            let first = report.findings.first();
            let cause = first.map_or("", |finding| &finding.cause);
            let remedy = first.map_or("", |finding| &finding.remedy);
            format!("unhealthy: {} {cause} -> {remedy}\n", report.summary)
        }
    };
    let rest = report.findings.iter().skip(usize::from(report.verdict != Verdict::Verified));
    for finding in rest.filter(|finding| finding.severity > Severity::Note || finding.id == "device.busy") {
        text += &format!("{}: {} {}\n", finding.id, finding.title, finding.cause);
    }
    if text.len() > LIMIT {
        let end = (0..=LIMIT - 5).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text += "...\n";
    }
    text
}
