//! Predictions as a table, one row per machine and one column per question; then what is wrong, each finding once,
//! with its machines.

use super::findings::one_finding;
use super::layout::{Ink, Style, fit, heading, wrap};
use crate::model::{Question, Severity};
use crate::report::{Foretold, Prediction, Report, shared};

pub fn render(out: &mut String, report: &Report, style: Style) {
    if report.predictions.is_empty() {
        return;
    }
    let note = format!("{} on the described machines; nothing was run", report.image.root);
    heading(out, style, "Prediction", &fit(&note, style.width.saturating_sub(12)));
    table(out, &report.predictions, style);
    if let Some(day) = &report.tables_checked {
        wrap(out, &format!("tables of drivers, GPUs and wheels: checked {day}"), "  ", style, Ink::Dim);
    }
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
            decided.map_or((String::new(), Ink::Plain), |decided| {
                (decided.answer.clone(), ink(decided.severity))
            })
        }));
        let because =
            if prediction.image.is_empty() { decides(prediction) } else { " (the image itself)".into() };
        row.push(match prediction.verdict {
            Foretold::Works => ("✔ works".to_owned(), Ink::Good),
            Foretold::WorksWithNotes => ("✔ works, with notes".to_owned(), Ink::Good),
            Foretold::Fails => (format!("✘ fails{because}"), Ink::Bad),
            Foretold::Unknown => (format!("? unknown{because}"), Ink::Warn),
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

/// The installation that the worst answers are about, if there are several in the image.
fn decides(prediction: &Prediction) -> String {
    let worst = prediction.decided.iter().filter_map(|decided| decided.severity).max();
    let mut names: Vec<&String> = Vec::new();
    for decided in prediction.decided.iter().filter(|decided| decided.severity == worst) {
        let new = decided.frameworks.iter().filter(|name| !names.contains(name));
        names.extend(new.collect::<Vec<_>>());
    }
    match names.as_slice() {
        [] => String::new(),
        [name] => format!(" ({})", shortened(name)),
        [name, more @ ..] => format!(" ({} and {} more)", shortened(name), more.len()),
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
    use super::*;
    use crate::report::Decided;

    #[test]
    fn the_installation_with_the_worst_answer_decides() {
        let decided = |by, severity, frameworks: &[&str]| Decided {
            by,
            answer: String::new(),
            frameworks: frameworks.iter().map(|name| name.to_string()).collect(),
            severity,
        };
        let prediction = |decided: &[Decided]| Prediction {
            machine: String::new(),
            gpu: String::new(),
            driver: None,
            cuda: None,
            verdict: Foretold::Fails,
            decided: decided.to_vec(),
            image: Vec::new(),
            findings: Vec::new(),
        };
        let code = decided(Question::Code, Some(Severity::Error), &["faiss 1"]);
        let cuda = decided(Question::Cuda, Some(Severity::Note), &["torch 2"]);
        let libraries = decided(Question::Libraries, Some(Severity::Error), &["xformers 3", "faiss 1"]);
        let gpu = decided(Question::Gpu, Some(Severity::Error), &[]);
        assert_eq!(decides(&prediction(&[code.clone(), cuda.clone()])), " (faiss 1)");
        assert_eq!(decides(&prediction(&[code, cuda.clone(), libraries])), " (faiss 1 and 1 more)");
        assert_eq!(decides(&prediction(&[cuda, gpu])), "");
    }

    #[test]
    fn long_names_keep_both_ends() {
        let name = super::shortened("gke-production-europe-a100-80gb-pool-7");
        assert_eq!(name, "gke-production…0-80gb-pool-7");
        assert_eq!(name.chars().count(), super::WIDEST_NAME);
        assert_eq!(super::shortened("NVIDIA GeForce RTX 4090/open"), "NVIDIA GeForce RTX 4090/open");
    }
}
