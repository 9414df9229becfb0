//! Explanations of findings and error codes, from the texts of the checks and the tables of `codes`: for the terminal,
//! docs/checks.md and docs/probes.md.

use anyhow::{Result, anyhow};

use crate::checks::{Check, all};
use crate::codes::{self, Code, Family, squeezed};
use crate::model::{Fix, Owner};

/// Headings of the families, by the first part of the id.
const HEADINGS: &[(&str, &str)] = &[
    ("launch", "How the container is started"),
    ("image", "What the image must not contain, or lacks"),
    ("probe", "Probes that did not finish"),
    ("node", "The host"),
    ("driver", "The driver and NVML"),
    ("device", "Each GPU"),
    ("math", "cuBLAS, libcudart and CUPTI"),
    ("library", "CUDA libraries in the image"),
    ("code", "Device code in the image"),
    ("leftovers", "What else is in the image"),
    ("predict", "Whether the image works on a described machine"),
    ("application", "What the application needs"),
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

/// By its id, or by the last part of the id if that is unique.
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

/// A line of a log, such as `error 35` or `CUDA_ERROR_SYSTEM_NOT_READY (802)`. Names come before numbers.
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
    // Without a separator it is no text but a misspelt argument, such as `nvidia:803`.
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

/// The families, in the order of the report.
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

/// The meaning of an error code in each library that has it, and the findings that list it.
fn numbers(found: &[(Family, Code)]) -> String {
    let mut text = String::new();
    for (place, (family, code)) in found.iter().enumerate() {
        text += &format!("{} {}: {}\n", family.label(), code.number, code.name);
        // The driver and the runtime share most meanings.
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
        // Libraries are named only if the finding lists some of them.
        let of = match families.len() {
            0 => continue,
            some if some == found.len() => String::new(),
            _ => format!(" ({})", families.join(", ")),
        };
        listed += &format!("\n  {}{of}: {}\n    Remedy: {}\n", check.id, check.title, check.remedy);
    }
    match listed.as_str() {
        "" => text + "\nNo finding lists it: cudacheck knows its meaning, but no specific cause or remedy.\n",
        _ => format!("{text}\nFindings with this code, causes first:\n{listed}"),
    }
}

/// The runtime passes on most codes of the driver: a finding that lists one of them applies to the other.
fn lists(check: &Check, family: Family, code: &Code) -> bool {
    let twin = match family {
        Family::Driver => Family::Runtime,
        Family::Runtime => Family::Driver,
        _ => family,
    };
    let alike = codes::named(twin, code.number).is_some_and(|other| other.meaning == code.meaning);
    check.codes.contains(&(family, code.number)) || alike && check.codes.contains(&(twin, code.number))
}

/// The error for an unknown argument, with suggestions.
fn unknown(what: &str) -> anyhow::Error {
    let keys = Family::ALL.map(Family::key).join(", ");
    let (before, number) = what.split_once(':').map_or((None, what), |(key, rest)| (Some(key.trim()), rest));
    let library = before.and_then(Family::from_key);
    if let (Some(key), None) = (before, library) {
        return anyhow!("unknown library '{key}'; use one of {keys} before the colon");
    }
    if number.trim().parse::<i128>().is_err() {
        let near = near(number.trim());
        let near = if near.is_empty() { near } else { format!("did you mean {near}? ") };
        return anyhow!(
            "unknown finding or error code '{what}'; {near}`cudacheck explain` lists all findings"
        );
    }
    if number.trim().starts_with('-') {
        return anyhow!(
            "no library returns {number}: error codes start at 0, and a negative number is the program's own. See its \
             message; `cudacheck explain` lists all findings"
        );
    }
    let elsewhere: Vec<&str> = codes::find(number).iter().map(|(family, _)| family.label()).collect();
    if let (Some(library), false) = (library, elsewhere.is_empty()) {
        return anyhow!(
            "{} has no error code {number}; found in {} (`cudacheck explain {number}`)",
            library.label(),
            elsewhere.join(", ")
        );
    }
    let near = near(number.trim());
    let near = if near.is_empty() { near } else { format!(" Similar: {near}.") };
    anyhow!(
        "unknown error code {what}.{near} cudacheck knows the return codes of {keys}; name the library as in `cudacheck \
         explain nvml:999`. A newer library may have more codes. Exit statuses and Xid numbers of the kernel log are \
         not error codes"
    )
}

/// At most three ids, names or numbers that contain `text` or differ from it by a typo.
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
    // Of equal distance the first is taken: findings come before codes.
    let mut nearest = Vec::new();
    while let Some(place) = (0..near.len()).min_by_key(|place| near[*place].0).filter(|_| nearest.len() < 3) {
        nearest.push(near.remove(place).1);
    }
    nearest.join(", ")
}

/// Levenshtein distance.
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

/// Who has to act, and what makes the finding go away.
fn ownership(check: &Check) -> String {
    let owner = match check.owner {
        Owner::Launch => "how the container is started",
        Owner::Image => "the image",
        Owner::Node => "the host",
        Owner::Nobody => "nobody, no action needed: the GPU is in use",
        Owner::Application => "the application",
    };
    let fix = match check.fix {
        Fix::Restart => "restart the container",
        Fix::RecreateSame => "recreate the container from the same specification",
        Fix::Recreate => "recreate the container with other flags; a restart does not help",
        Fix::Rebuild => "rebuild the image; a restart does not help",
        Fix::Host => "change the host; a restart does not help",
        Fix::Wait => "wait until the GPU is free again",
    };
    format!("Owner: {owner}\n\nFix: {fix}")
}

/// docs/probes.md: which finding fails which probe.
#[cfg(test)]
fn probes_markdown() -> String {
    use crate::model::Severity;
    use crate::report::Purpose;
    let mut text =
        "<!-- Generated from src/report/purpose.rs and src/checks/ by CUDACHECK_BLESS=1 cargo test. -->\n\n\
         # Which finding fails which probe\n\n\
         `cudacheck health --for liveness|readiness|startup`, and `/livez`, `/readyz`, `/startupz` of `cudacheck \
         serve`. Without `--for`, `health` fails like readiness.\n\n\
         - **liveness** fails only if killing and recreating the container fixes the problem. That does not fix a \
         broken node, image or launch, and would lose work that still runs.\n\
         - **readiness** and **startup** fail on every error and every unknown. `--level` decides what is checked: \
         kernels need `smoke`, matrix products need `gemm`.\n\
         - Warnings and notes fail no probe: a GPU that is busy, exclusive or full, one of several MIG instances, \
         throttled clocks.\n\
         - Only GPUs that the container's programs would get count: those that CUDA_VISIBLE_DEVICES leaves visible, \
         and of those the ones that `--gpus` names by number, GPU-UUID or MIG-UUID. Numbers are CUDA's. Level nvml \
         does not call CUDA, so cudacheck applies CUDA's rules: entries in order, up to the first that \
         names no GPU or one that was named before.\n\
         - An invalid command line exits with 1 for every purpose.\n\
         - A result that is too old (`serve`, `--max-age`) fails all three, and is reported as stale.\n\n\
         | finding | severity | fix | liveness | readiness | startup |\n|---|---|---|---|---|---|\n"
            .to_owned();
    let severe = all().filter(|check| check.severity >= Severity::Unknown);
    for check in severe.filter(|check| !check.id.starts_with("predict.")) {
        let fails = Purpose::ALL.map(|purpose| match purpose.fails(check.severity, check.fix) {
            true => "fails",
            false => "",
        });
        text += &format!(
            "| [{0}](checks.md#{1}) | {2} | {3} | {4} |\n",
            check.id,
            anchor(check),
            check.severity,
            check.fix,
            fails.join(" | ")
        );
    }
    text
}

/// docs/checks.md.
#[cfg(test)]
fn markdown() -> String {
    let mut text = "# Findings\n\nGenerated from src/checks/ by `CUDACHECK_BLESS=1 cargo test`. [Error codes](#error-codes) \
         are listed at the end.\n"
        .to_owned();
    for name in families() {
        text += &format!("\n{}:\n\n| id | severity | title |\n|---|---|---|\n", heading(name));
        for check in all().filter(|check| family(check) == name) {
            text += &format!(
                "| [{0}](#{1}) | {2} | {3} |\n",
                check.id,
                anchor(check),
                check.severity,
                check.title
            );
        }
    }
    for check in all() {
        text += &section(check);
    }
    text + &codes_section()
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
        "\n## {}\n\n**{}** ({})\n\n{}\n\nRemedy: {}\n\n{}\n{explains}",
        check.id,
        check.title,
        check.severity,
        check.why,
        check.remedy,
        ownership(check)
    )
}

/// The error codes that findings list. The others have only a meaning, which `explain` shows.
#[cfg(test)]
fn codes_section() -> String {
    let mut text = format!(
        "\n## Error codes\n\nError codes that findings list, causes first. `cudacheck explain CODE` gives their \
         meaning; it knows {} codes of {} libraries.\n\n| code | library | name | findings |\n|---|---|---|---|\n",
        Family::ALL.into_iter().map(|family| family.codes().count()).sum::<usize>(),
        Family::ALL.len()
    );
    let mut rows: Vec<(i64, Family)> =
        all().flat_map(|check| check.codes).map(|(family, number)| (*number, *family)).collect();
    rows.sort();
    rows.dedup();
    for (number, family) in rows {
        let code = codes::named(family, number).expect("a test below checks it");
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
    fn the_table_of_probes_is_current() {
        crate::generated::check("docs/probes.md", &probes_markdown());
    }

    #[test]
    fn an_explanation_names_owner_and_fix() {
        let text = explain(Some("library.redundant")).unwrap();
        assert!(text.starts_with("library.redundant  (note)\nSome copies of CUDA libraries"), "{text}");
        let end = "\n\nOwner: the image\n\nFix: rebuild the image; a restart does not help\n";
        assert!(text.ends_with(end), "{text}");
        let error = explain(Some("library.redundnat")).unwrap_err().to_string();
        assert!(error.contains("did you mean library.redundant?"), "{error}");
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
    fn typos_get_suggestions() {
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
