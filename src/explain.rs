//! `cudacheck explain`: findings and error codes, from the texts of the checks and the tables of `codes`.

mod error_code;
#[cfg(test)]
mod markdown;
mod suggest;

use anyhow::Result;

use crate::checks::{Check, FAMILIES, Family, all};
use crate::codes;
use crate::model::{Fix, Owner};
use error_code::{decimal, in_text, numbers};
use suggest::unknown;

pub fn explain(what: Option<&str>) -> Result<String> {
    let Some(what) = what else { return Ok(list(FAMILIES)) };
    let what = &decimal(what.trim());
    let named = |family: &&Family| family.name.eq_ignore_ascii_case(what.trim_end_matches('.'));
    if let Some(family) = FAMILIES.iter().find(named) {
        return Ok(list(std::slice::from_ref(family)));
    }
    if let Some(check) = check(what) {
        return Ok(finding(check));
    }
    if let found @ [_, ..] = codes::find(what).as_slice() {
        return Ok(numbers(found));
    }
    in_text(what).ok_or_else(|| unknown(what))
}

/// By its id, or by the last part of the id if that is unique.
fn check(what: &str) -> Option<&'static Check> {
    let last =
        |check: &&Check| check.id.split_once('.').is_some_and(|(_, last)| what.eq_ignore_ascii_case(last));
    let mut short = all().filter(last);
    let whole = all().find(|check| check.id.eq_ignore_ascii_case(what));
    whole.or_else(|| short.next().filter(|_| short.next().is_none()))
}

fn list(families: &[Family]) -> String {
    let width = all().map(|check| check.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for family in families {
        text += &format!("{}\n", family.heading);
        for check in family.checks {
            text += &format!("  {:<width$}  {:<8} {}\n", check.id, check.severity, check.title);
        }
        text.push('\n');
    }
    text + "`cudacheck explain ID` explains a finding, `cudacheck explain 803` an error code.\n"
}

fn finding(check: &Check) -> String {
    let Check { id, title, why, remedy, explains, .. } = check;
    let mut text = format!(
        "{id}  ({})\n{title}.\n\n{why}\n\nRemedy:\n  {remedy}\n\n{}\n",
        check.severity,
        ownership(check)
    );
    if !explains.is_empty() {
        text += &format!("\nExplains: {}\n", explains.join(", "));
    }
    text
}

/// Who has to act, and what makes the finding go away.
fn ownership(check: &Check) -> String {
    let owner = match check.owner {
        Owner::Launch => "launch (whoever starts the container)",
        Owner::Image => "image (whoever builds the image)",
        Owner::Node => "node (whoever runs the machine)",
        Owner::Nobody => "no action needed",
        Owner::Application => "application (whoever writes the program)",
    };
    let fix = match check.fix {
        Fix::Restart => "restart the container",
        Fix::RecreateSame => "recreate the container from the same specification",
        Fix::Recreate => "recreate the container with other flags; a restart does not help",
        Fix::Rebuild => "rebuild the image; a restart does not help",
        Fix::Host => "change the host; a restart does not help",
        Fix::Wait => "wait until the GPU is free again",
        Fix::Update => "update cudacheck",
    };
    format!("Owner: {owner}\n\nFix: {fix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_names_owner_and_fix() {
        let text = explain(Some("library.redundant")).unwrap();
        assert!(text.starts_with("library.redundant  (note)\nSome copies of CUDA libraries"), "{text}");
        let end = "\n\nOwner: image (whoever builds the image)\n\nFix: rebuild the image; a restart does not help\n";
        assert!(text.ends_with(end), "{text}");
        let error = explain(Some("library.redundnat")).unwrap_err().to_string();
        assert!(error.contains("did you mean library.redundant?"), "{error}");
    }

    #[test]
    fn every_code_has_a_name_and_is_listed_once() {
        for check in all() {
            for (family, number) in check.codes {
                assert!(codes::named(*family, *number).is_some(), "{}: {family:?} {number}", check.id);
                let times = check.codes.iter().filter(|code| **code == (*family, *number)).count();
                assert_eq!(times, 1, "{}: {family:?} {number}", check.id);
            }
        }
    }
}
