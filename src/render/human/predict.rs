//! Predictions as a table, one row per machine and one column per question; then what is wrong, each finding once,
//! with its machines.

use super::findings::one_finding;
use super::layout::{Ink, Style, fit, heading, wrap};
use crate::model::{Question, Severity};
use crate::report::{Decided, Foretold, Prediction, Report, shared};

pub fn render(out: &mut String, report: &Report, style: Style) {
    if report.predictions.is_empty() {
        return;
    }
    let note = format!("{} on the described machines; nothing was run", report.image.root);
    heading(out, style, "Prediction", &fit(&note, style.width.saturating_sub(12)));
    table(out, &report.predictions, style);
    for (shared, machines) in shared(&report.predictions) {
        one_finding(out, &shared, style);
        wrap(out, &format!("on {}", machines.join(", ")), "    ", style, Ink::Dim);
    }
}

/// Headings of the columns.
const HEADINGS: [(Question, &str); 6] = [
    (Question::Code, "code"),
    (Question::Cuda, "CUDA"),
    (Question::Libraries, "libraries"),
    (Question::Gpu, "driver knows GPU"),
    (Question::Module, "module"),
    (Question::Requirement, "requirement"),
];
const WIDEST_NAME: usize = 28;

fn table(out: &mut String, predictions: &[Prediction], style: Style) {
    let head = |text: &str| (text.to_owned(), Ink::Dim);
    let mut rows = vec![vec![head("machine"), head("GPU"), head("driver")]];
    rows[0].extend(HEADINGS.iter().map(|(_, title)| head(title)));
    rows[0].push(head(""));
    for prediction in predictions {
        let driver = prediction.driver.as_deref().unwrap_or("-");
        let mut row = vec![
            (shortened(&prediction.machine), Ink::Bold),
            (prediction.gpu.clone(), Ink::Plain),
            (driver.to_owned(), Ink::Plain),
        ];
        row.extend(HEADINGS.iter().map(|(by, _)| {
            let decided = prediction.decided.iter().find(|decided| decided.by == *by);
            decided.map_or((String::new(), Ink::Plain), |decided| (answer(decided), ink(decided.severity)))
        }));
        let of_image = if prediction.image.is_empty() { "" } else { " (the image itself)" };
        row.push(match prediction.verdict {
            Foretold::Works => ("✔ works".to_owned(), Ink::Good),
            Foretold::WorksWithNotes => ("✔ works, with notes".to_owned(), Ink::Good),
            Foretold::Fails => (format!("✘ fails{of_image}"), Ink::Bad),
            Foretold::Unknown => (format!("? unknown{of_image}"), Ink::Warn),
        });
        rows.push(row);
    }
    let columns = rows[0].len();
    let width = |column: usize| rows.iter().map(|row| row[column].0.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in &rows {
        let cells =
            row.iter().zip(&widths).map(|((text, ink), width)| style.paint(*ink, &format!("{text:<width$}")));
        let line: Vec<String> = cells.collect();
        *out += &format!("  {}\n", line.join("  ").trim_end());
    }
}

/// The answer, with the installations that decide where something is wrong with it.
fn answer(decided: &Decided) -> String {
    match decided.frameworks.as_slice() {
        [] => decided.answer.clone(),
        _ if decided.severity.is_none() => decided.answer.clone(),
        [name] => format!("{}: {}", decided.answer, shortened(name)),
        [name, more @ ..] => format!("{}: {} +{}", decided.answer, shortened(name), more.len()),
    }
}

/// Names in a fleet may differ at the start or at the end, so both are kept.
fn shortened(name: &str) -> String {
    let count = name.chars().count();
    if count <= WIDEST_NAME {
        return name.to_owned();
    }
    let half = WIDEST_NAME / 2;
    let head: String = name.chars().take(half).collect();
    let tail: String = name.chars().skip(count - (WIDEST_NAME - half - 1)).collect();
    format!("{head}…{tail}")
}

fn ink(severity: Option<Severity>) -> Ink {
    match severity {
        Some(Severity::Error) => Ink::Bad,
        Some(Severity::Unknown | Severity::Warning) => Ink::Warn,
        Some(Severity::Note) | None => Ink::Plain,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn long_names_keep_both_ends() {
        let name = super::shortened("gke-production-europe-a100-80gb-pool-7");
        assert_eq!(name, "gke-production…0-80gb-pool-7");
        assert_eq!(name.chars().count(), super::WIDEST_NAME);
        assert_eq!(super::shortened("NVIDIA GeForce RTX 4090/open"), "NVIDIA GeForce RTX 4090/open");
    }
}
