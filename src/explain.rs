//! What each finding means, from the checks' own text: for the terminal and for docs/checks.md.

use anyhow::{Result, bail};

use crate::checks::all;
use crate::report::Severity;

pub fn explain(id: Option<&str>) -> Result<()> {
    match id {
        None => {
            let width = all().map(|check| check.id.len()).max().unwrap_or(0);
            for check in all() {
                println!("{:<width$}  {:<8} {}", check.id, severity(check.severity), check.title);
            }
        }
        Some(id) => {
            let Some(check) = all().find(|check| check.id == id) else {
                bail!("there is no finding '{id}'; `cudacheck explain` lists them all");
            };
            println!("{}  ({})\n{}.\n\n{}\n\nRemedy:\n  {}", check.id, severity(check.severity), check.title, check.why, check.remedy);
            if !check.explains.is_empty() {
                println!("\nExplains: {}", check.explains.join(", "));
            }
        }
    }
    Ok(())
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
    let mut text = "# Findings\n\nGenerated from the checks; `CUDACHECK_BLESS=1 cargo test` writes it anew.\n\n".to_owned();
    text += "| id | severity | title |\n|---|---|---|\n";
    for check in all() {
        text += &format!("| [{0}](#{1}) | {2} | {3} |\n", check.id, check.id.replace('.', ""), severity(check.severity), check.title);
    }
    for check in all() {
        text += &section(check);
    }
    text
}

#[cfg(test)]
fn section(check: &crate::checks::Check) -> String {
    let explains = if check.explains.is_empty() {
        String::new()
    } else {
        format!("\nExplains: {}\n", check.explains.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", "))
    };
    format!("\n## {}\n\n**{}** ({})\n\n{}\n\nRemedy: {}\n{explains}", check.id, check.title, severity(check.severity), check.why, check.remedy)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_list_of_findings_is_current() {
        crate::generated::check("docs/checks.md", &super::markdown());
    }
}
