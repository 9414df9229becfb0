//! What each finding means, from the checks' own text: for the terminal and for docs/checks.md.

use anyhow::{Result, bail};

use crate::checks::{Check, all};
use crate::report::Severity;

pub fn explain(id: Option<&str>) -> Result<String> {
    let Some(id) = id else {
        let width = all().map(|check| check.id.len()).max().unwrap_or(0);
        let line = |check: &Check| {
            format!("{:<width$}  {:<8} {}\n", check.id, severity(check.severity), check.title)
        };
        return Ok(all().map(line).collect());
    };
    let Some(check) = all().find(|check| check.id == id) else {
        bail!("there is no finding '{id}'; `cudacheck explain` lists them all");
    };
    let Check { title, why, remedy, explains, .. } = check;
    let mut text =
        format!("{id}  ({})\n{title}.\n\n{why}\n\nRemedy:\n  {remedy}\n", severity(check.severity));
    if !explains.is_empty() {
        text += &format!("\nExplains: {}\n", explains.join(", "));
    }
    Ok(text)
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Unknown => "unknown",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// docs/checks.md.
#[cfg(test)]
fn markdown() -> String {
    let mut text =
        "# Findings\n\nGenerated from the checks; `CUDACHECK_BLESS=1 cargo test` writes it anew.\n\n"
            .to_owned();
    text += "| id | severity | title |\n|---|---|---|\n";
    for check in all() {
        text += &format!(
            "| [{0}](#{1}) | {2} | {3} |\n",
            check.id,
            check.id.replace('.', ""),
            severity(check.severity),
            check.title
        );
    }
    for check in all() {
        text += &section(check);
    }
    text
}

#[cfg(test)]
fn section(check: &Check) -> String {
    let explains = if check.explains.is_empty() {
        String::new()
    } else {
        format!(
            "\nExplains: {}\n",
            check.explains.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
        )
    };
    format!(
        "\n## {}\n\n**{}** ({})\n\n{}\n\nRemedy: {}\n{explains}",
        check.id,
        check.title,
        severity(check.severity),
        check.why,
        check.remedy
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_list_of_findings_is_current() {
        crate::generated::check("docs/checks.md", &super::markdown());
    }
}
