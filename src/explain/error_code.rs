//! Error codes: their meaning in each library, and the findings that list them. Also in lines of logs.

use super::finding;
use crate::checks::{Check, all};
use crate::codes::{self, Code, Library};

/// `nvml:0x3e7` as nvml:999.
pub fn decimal(what: &str) -> String {
    let at = what.rfind(':').map_or(0, |at| at + 1);
    let digits = what[at..].trim_start();
    let digits = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
    match digits.and_then(|digits| i64::from_str_radix(digits, 16).ok()) {
        Some(number) => format!("{}{number}", &what[..at]),
        None => what.to_owned(),
    }
}

/// A line of a log, such as `error 35` or `CUDA_ERROR_SYSTEM_NOT_READY (802)`. Names come before numbers.
pub fn in_text(text: &str) -> Option<String> {
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
    // Without a separator it is not text but a misspelled argument, such as `nvidia:803`.
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

/// The meaning of an error code in each library that has it, and the findings that list it.
pub fn numbers(found: &[(Library, Code)]) -> String {
    let mut text = String::new();
    for (place, (library, code)) in found.iter().enumerate() {
        text += &format!("{} {}: {}\n", library.label(), code.number, code.name);
        // The driver and the runtime share most meanings.
        let next = found.get(place + 1);
        if next.is_none_or(|(_, next)| (next.number, next.meaning) != (code.number, code.meaning)) {
            text += &format!("  {}\n", code.meaning);
        }
    }
    let mut listed = String::new();
    for check in all() {
        let libraries: Vec<&str> = found
            .iter()
            .filter(|(library, code)| lists(check, *library, code))
            .map(|(of, _)| of.label())
            .collect();
        // Libraries are named only if the finding lists some of them.
        let of = match libraries.len() {
            0 => continue,
            some if some == found.len() => String::new(),
            _ => format!(" ({})", libraries.join(", ")),
        };
        listed += &format!("\n  {}{of}: {}\n    Remedy: {}\n", check.id, check.title, check.remedy);
    }
    match listed.as_str() {
        "" => {
            text + "\nNo finding is tied to this code: cudacheck knows its meaning, but no specific cause or remedy.\n"
        }
        _ => format!("{text}\nFindings with this code, causes first:\n{listed}"),
    }
}

/// The runtime passes on most codes of the driver: a finding that lists one of them applies to the other.
pub fn lists(check: &Check, library: Library, code: &Code) -> bool {
    let twin = match library {
        Library::Driver => Library::Runtime,
        Library::Runtime => Library::Driver,
        _ => library,
    };
    let alike = codes::named(twin, code.number).is_some_and(|other| other.meaning == code.meaning);
    check.codes.contains(&(library, code.number)) || alike && check.codes.contains(&(twin, code.number))
}
