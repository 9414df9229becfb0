//! The report for people: verdict, predictions, devices, libraries, findings.

mod audit;
mod devices;
mod findings;
mod layout;
mod libraries;
mod predict;

pub use layout::Style;

use crate::model::Level;
use crate::report::{Report, Verdict};
use layout::Ink;

pub fn render(report: &Report, style: Style) -> String {
    let mut out = String::new();
    verdict(&mut out, report, style);
    predict::render(&mut out, report, style);
    devices::devices(&mut out, report, style);
    libraries::libraries(&mut out, report, style);
    if report.requested == Level::Image {
        audit::render(&mut out, report, style);
    }
    findings::findings(&mut out, report, style);
    out
}

fn verdict(out: &mut String, report: &Report, style: Style) {
    let (mark, word, ink) = match report.verdict {
        Verdict::Verified => ("✔", "VERIFIED", Ink::Good),
        Verdict::Audited => ("✔", "AUDITED", Ink::Good),
        Verdict::Failed => ("✘", "FAILED", Ink::Bad),
        Verdict::Undecided => ("?", "UNDECIDED", Ink::Warn),
    };
    let level = report.requested;
    let reached = if report.level == level { String::new() } else { format!(", reached {}", report.level) };
    let head = format!("cudacheck {} · level {level}{reached} · {:.2} s", report.version, report.seconds);
    *out += &format!(
        "{} {}\n",
        style.paint(ink, &format!("{mark} {word}")),
        style.paint(Ink::Bold, &report.summary)
    );
    *out += &format!("  {}\n", style.paint(Ink::Dim, &head));
}
