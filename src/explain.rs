//! What each finding means, and each number that a library returns, from the checks' own text and the tables
//! of `codes`: for the terminal and for docs/checks.md.

use anyhow::{Result, anyhow};

use crate::checks::{Check, all};
use crate::codes::{self, Code, Family, squeezed};
use crate::model::{Fix, Owner, Severity};

/// What the first part of an id stands for, in the words of a heading.
const HEADINGS: &[(&str, &str)] = &[
    ("launch", "How the container is started"),
    ("image", "What the image brings and should not"),
    ("probe", "Probes that did not come to their end"),
    ("node", "The machine under the container"),
    ("driver", "The driver and NVML"),
    ("device", "Each GPU"),
    ("math", "cuBLAS, libcudart and CUPTI at work"),
    ("library", "Copies of CUDA libraries in the image"),
    ("code", "GPU architectures that the image has code for"),
    ("leftovers", "What else is in the image"),
    ("predict", "Whether the image will work on a machine that is described"),
    ("application", "What the application asks for"),
];

pub fn explain(what: Option<&str>) -> Result<String> {
    let Some(what) = what else { return Ok(list(&families())) };
    let what = &decimal(what.trim());
    let family = families().into_iter().find(|name| name.eq_ignore_ascii_case(what.trim_end_matches('.')));
    if let Some(family) = family {
        return Ok(list(&[family]));
    }
    if let Some(check) = check(what) {
        return Ok(finding(check));
    }
    if let found @ [_, ..] = codes::find(what).as_slice() {
        return Ok(numbers(found));
    }
    in_text(what).ok_or_else(|| unknown(what))
}

/// By its id, or by the last part of it where no other has the same.
fn check(what: &str) -> Option<&'static Check> {
    let last =
        |check: &&Check| check.id.split_once('.').is_some_and(|(_, last)| what.eq_ignore_ascii_case(last));
    let mut short = all().filter(last);
    let whole = all().find(|check| check.id.eq_ignore_ascii_case(what));
    whole.or_else(|| short.next().filter(|_| short.next().is_none()))
}

/// `nvml:0x3e7` as nvml:999.
fn decimal(what: &str) -> String {
    let at = what.rfind(':').map_or(0, |at| at + 1);
    let digits = what[at..].trim_start();
    let digits = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
    match digits.and_then(|digits| i64::from_str_radix(digits, 16).ok()) {
        Some(number) => format!("{}{number}", &what[..at]),
        None => what.to_owned(),
    }
}

/// A line of a log, such as `error 35` or `CUDA_ERROR_SYSTEM_NOT_READY (802)`: a name tells more than a number.
fn in_text(text: &str) -> Option<String> {
    let words = || {
        let part = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let words = text.split(move |c| !part(c)).map(|word| word.trim_matches(['.', '-']));
        words.filter(|word| *word != text && !word.is_empty())
    };
    let is_name = |word: &str| {
        let bytes = word.as_bytes();
        let camel = |pair: &[u8]| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase();
        word.contains('_') || bytes.windows(2).any(camel)
    };
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let found = |words: &mut dyn Iterator<Item = &str>| {
        words.map(|word| codes::find(&decimal(word))).find(|found| !found.is_empty())
    };
    // A text that was split has a blank or a bracket in it; `nvidia:803` is a slip, and told as one.
    if !text.contains([' ', '(', '=']) {
        return None;
    }
    if let Some(check) = words().find_map(|word| all().find(|check| check.id.eq_ignore_ascii_case(word))) {
        return Some(finding(check));
    }
    let found = found(&mut words().filter(|word| is_name(word)))
        .or_else(|| found(&mut words().filter(|word| is_number(word))));
    found.map(|found| numbers(&found))
}

fn family(check: &Check) -> &'static str {
    check.id.split('.').next().unwrap_or(check.id)
}

fn heading(family: &str) -> &str {
    HEADINGS.iter().find(|(known, _)| *known == family).map_or(family, |(_, words)| words)
}

/// The families in the order of reports, each once.
fn families() -> Vec<&'static str> {
    let mut families: Vec<&str> = Vec::new();
    for check in all() {
        if !families.contains(&family(check)) {
            families.push(family(check));
        }
    }
    families
}

fn list(wanted: &[&str]) -> String {
    let width = all().map(|check| check.id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for name in wanted {
        text += &format!("{}\n", heading(name));
        for check in all().filter(|check| family(check) == *name) {
            text += &format!("  {:<width$}  {:<8} {}\n", check.id, severity(check.severity), check.title);
        }
        text.push('\n');
    }
    text + "`cudacheck explain ID` says more of one, `cudacheck explain 803` what a number means.\n"
}

fn finding(check: &Check) -> String {
    let Check { id, title, why, remedy, explains, .. } = check;
    let mut text = format!(
        "{id}  ({})\n{title}.\n\n{why}\n\nRemedy:\n  {remedy}\n\n{}.\n",
        severity(check.severity),
        belongs(check)
    );
    if !explains.is_empty() {
        text += &format!("\nExplains: {}\n", explains.join(", "));
    }
    text
}

/// What a number or a name means in each library that has it, and the findings that it is seen with.
fn numbers(found: &[(Family, Code)]) -> String {
    let mut text = String::new();
    for (place, (family, code)) in found.iter().enumerate() {
        text += &format!("{} {}: {}\n", family.label(), code.number, code.name);
        // The driver and the runtime mostly mean the same.
        let next = found.get(place + 1);
        if next.is_none_or(|(_, next)| (next.number, next.meaning) != (code.number, code.meaning)) {
            text += &format!("  {}\n", code.meaning);
        }
    }
    let mut listed = String::new();
    for check in all() {
        let families: Vec<&str> = found
            .iter()
            .filter(|(family, code)| lists(check, *family, code))
            .map(|(of, _)| of.label())
            .collect();
        // Of one library, or of all that were found, there is nothing to tell apart.
        let of = match families.len() {
            0 => continue,
            some if some == found.len() => String::new(),
            _ => format!(" ({})", families.join(", ")),
        };
        listed += &format!("\n  {}{of}: {}\n    Remedy: {}\n", check.id, check.title, check.remedy);
    }
    match listed.as_str() {
        "" => {
            text + "\nNo finding lists it: cudacheck has the meaning above, and no cause or remedy for it.\n"
        }
        _ => format!("{text}\nFindings that it is seen with, causes first:\n{listed}"),
    }
}

/// The runtime hands on most of the driver's numbers: what is seen with the one is seen with the other.
fn lists(check: &Check, family: Family, code: &Code) -> bool {
    let twin = match family {
        Family::Driver => Family::Runtime,
        Family::Runtime => Family::Driver,
        _ => family,
    };
    let alike = codes::named(twin, code.number).is_some_and(|other| other.meaning == code.meaning);
    check.codes.contains(&(family, code.number)) || alike && check.codes.contains(&(twin, code.number))
}

/// Neither a finding nor a number: says what there is that comes near.
fn unknown(what: &str) -> anyhow::Error {
    let keys = Family::ALL.map(Family::key).join(", ");
    let (before, number) = what.split_once(':').map_or((None, what), |(key, rest)| (Some(key.trim()), rest));
    let library = before.and_then(Family::from_key);
    if let (Some(key), None) = (before, library) {
        return anyhow!("there is no library '{key}' here; before the colon stands one of {keys}");
    }
    if number.trim().parse::<i128>().is_err() {
        let near = near(number.trim());
        let near = if near.is_empty() { near } else { format!("did you mean {near}? ") };
        return anyhow!("there is no finding or code '{what}'; {near}`cudacheck explain` lists them all");
    }
    if number.trim().starts_with('-') {
        return anyhow!(
            "no library returns {number}: their numbers begin with 0. A number below it is a program's own, and its \
             message tells what failed; `cudacheck explain` lists all findings"
        );
    }
    let elsewhere: Vec<&str> = codes::find(number).iter().map(|(family, _)| family.label()).collect();
    if let (Some(library), false) = (library, elsewhere.is_empty()) {
        return anyhow!(
            "{} has no number {number}; these have: {} (`cudacheck explain {number}`)",
            library.label(),
            elsewhere.join(", ")
        );
    }
    let near = near(number.trim());
    let near = if near.is_empty() { near } else { format!(" Near it: {near}.") };
    anyhow!(
        "the number {what} is not known.{near} Numbers are those that functions of a library return ({keys}); \
         the message or the function that failed tells which, as in `cudacheck explain nvml:999`. A library \
         newer than this cudacheck may have others; exit statuses and Xid numbers of the kernel log are none \
         of them"
    )
}

/// At most three ids, names or numbers that differ from `text` in a slip of the keyboard or are a part of it.
fn near(text: &str) -> String {
    let wanted = squeezed(text);
    let number = text.parse::<i128>().is_ok();
    let far = if number { 1 } else { wanted.len() / 4 };
    let mut near: Vec<(usize, String)> = Vec::new();
    let mut offer = |shown: String, compared: &[String]| {
        let distance = |other: &String| {
            if !number && wanted.len() >= 4 && other.contains(wanted.as_str()) {
                0
            } else {
                edits(&wanted, other)
            }
        };
        let distance = compared.iter().map(distance).min().filter(|distance| *distance <= far);
        if let Some(distance) = distance.filter(|_| !near.iter().any(|(_, other)| *other == shown)) {
            near.push((distance, shown));
        }
    };
    if !number {
        for check in all() {
            let name = check.id.split_once('.').map_or(check.id, |(_, name)| name);
            offer(check.id.to_owned(), &[squeezed(check.id), squeezed(name)]);
        }
    }
    for family in Family::ALL {
        for code in family.codes() {
            if number {
                offer(code.number.to_string(), &[code.number.to_string()]);
            } else {
                offer(code.name.to_owned(), &[squeezed(code.name), family.bare(&code)]);
            }
        }
    }
    // Findings before codes where both are as near: of equals, the first is the least.
    let mut nearest = Vec::new();
    while let Some(place) = (0..near.len()).min_by_key(|place| near[*place].0).filter(|_| nearest.len() < 3) {
        nearest.push(near.remove(place).1);
    }
    nearest.join(", ")
}

/// How many letters must be put in, taken out or changed to make one of the other.
fn edits(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.bytes().enumerate() {
            let changed = corner + usize::from(a != b);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(corner + 1);
        }
    }
    row[other.len()]
}

/// Owner problem it is and what cures it, in one sentence.
fn belongs(check: &Check) -> String {
    let whose = match check.owner {
        Owner::Launch => "A matter of how the container is started",
        Owner::Image => "A matter of the image",
        Owner::Node => "A matter of the machine",
        Owner::Nobody => "The GPU is in use",
        Owner::Application => "A matter of the application",
    };
    let cure = match check.fix {
        Fix::Restart => "restarting the container cures it",
        Fix::RecreateSame => "creating the container anew as it was cures it",
        Fix::Recreate => "cured by creating the container anew with other flags, no restart helps",
        Fix::Rebuild => "cured by building the image anew, no restart helps",
        Fix::Host => "cured on the host, no restart helps",
        Fix::Wait => "it passes when what is in use is free again",
    };
    format!("{whose}; {cure}")
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
    let mut text = "# Findings\n\nGenerated from the checks; `CUDACHECK_BLESS=1 cargo test` writes it anew. \
         [Numbers](#numbers) that libraries return stand at the end.\n"
        .to_owned();
    for name in families() {
        text += &format!("\n{}:\n\n| id | severity | title |\n|---|---|---|\n", heading(name));
        for check in all().filter(|check| family(check) == name) {
            text += &format!(
                "| [{0}](#{1}) | {2} | {3} |\n",
                check.id,
                anchor(check),
                severity(check.severity),
                check.title
            );
        }
    }
    for check in all() {
        text += &section(check);
    }
    text + &numbers_section()
}

#[cfg(test)]
fn anchor(check: &Check) -> String {
    check.id.replace('.', "")
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
        "\n## {}\n\n**{}** ({})\n\n{}\n\nRemedy: {}\n\n{}.\n{explains}",
        check.id,
        check.title,
        severity(check.severity),
        check.why,
        check.remedy,
        belongs(check)
    )
}

/// The numbers that findings list; the others have a meaning and nothing to be looked up here.
#[cfg(test)]
fn numbers_section() -> String {
    let mut text = format!(
        "\n## Numbers\n\nNumbers that findings are seen with, and the findings, causes first. `cudacheck \
         explain NUMBER` gives the meaning of these and of the rest: it knows {} numbers of {} libraries.\n\n\
         | number | library | name | findings |\n|---|---|---|---|\n",
        Family::ALL.into_iter().map(|family| family.codes().count()).sum::<usize>(),
        Family::ALL.len()
    );
    let mut rows: Vec<(i64, Family)> =
        all().flat_map(|check| check.codes).map(|(family, number)| (*number, *family)).collect();
    rows.sort();
    rows.dedup();
    for (number, family) in rows {
        let code = codes::named(family, number).expect("a test below says so");
        let findings: Vec<String> = all()
            .filter(|check| lists(check, family, &code))
            .map(|check| format!("[{}](#{})", check.id, anchor(check)))
            .collect();
        text += &format!("| {number} | {} | {} | {} |\n", family.label(), code.name, findings.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_findings_is_current() {
        crate::generated::check("docs/checks.md", &markdown());
    }

    #[test]
    fn every_family_has_a_heading_and_every_code_a_name() {
        let headings: Vec<&str> = HEADINGS.iter().map(|(family, _)| *family).collect();
        for name in families() {
            assert!(headings.contains(&name), "HEADINGS has no words for {name}");
        }
        for check in all() {
            for (family, number) in check.codes {
                assert!(codes::named(*family, *number).is_some(), "{}: {family:?} {number}", check.id);
                let times = check.codes.iter().filter(|code| **code == (*family, *number)).count();
                assert_eq!(times, 1, "{}: {family:?} {number}", check.id);
            }
        }
    }

    #[test]
    fn slips_of_the_keyboard() {
        for (one, other, distance) in [
            ("", "", 0),
            ("a", "", 1),
            ("abc", "abc", 0),
            ("helath", "health", 2),
            ("803", "80", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edits(one, other), distance, "{one} {other}");
            assert_eq!(edits(other, one), distance, "{one} {other}");
        }
        for (text, first) in [
            ("launch.not-reqested", "launch.not-requested"),
            ("not-requested", "launch.not-requested"),
            ("CUDA_ERROR_SYSTEM_NOTREADYY", "CUDA_ERROR_SYSTEM_NOT_READY"),
            ("sytem_not_ready", "CUDA_ERROR_SYSTEM_NOT_READY"),
            ("8003", "800"),
        ] {
            assert!(near(text).starts_with(first), "{text}: {}", near(text));
        }
        for text in ["no.such", "", "zzz", "424242"] {
            assert_eq!(near(text), "", "{text}");
        }
    }
}
