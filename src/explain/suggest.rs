//! The answer to an argument that is neither a finding nor an error code: what is close to it, or why it cannot be one.

use anyhow::anyhow;
use strsim::osa_distance;

use crate::checks::all;
use crate::codes::{self, Library, squeezed};

/// The error for an unknown argument, with suggestions.
pub fn unknown(what: &str) -> anyhow::Error {
    let keys = Library::ALL.map(Library::key).join(", ");
    let (before, number) = what.split_once(':').map_or((None, what), |(key, rest)| (Some(key.trim()), rest));
    let library = before.and_then(Library::from_key);
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
    let elsewhere: Vec<&str> = codes::find(number).iter().map(|(library, _)| library.label()).collect();
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
                osa_distance(&wanted, other)
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
    for library in Library::ALL {
        for code in library.codes() {
            if number {
                offer(code.number.to_string(), &[code.number.to_string()]);
            } else {
                offer(code.name.to_owned(), &[squeezed(code.name), library.bare(&code)]);
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

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn typos_get_suggestions() {
        for (text, first) in [
            ("launch.not-reqested", "launch.not-requested"),
            ("not-requested", "launch.not-requested"),
            ("CUDA_ERROR_SYSTEM_NOTREADYY", "CUDA_ERROR_SYSTEM_NOT_READY"),
            ("sytem_not_ready", "CUDA_ERROR_SYSTEM_NOT_READY"),
            ("launch.not-reqeusted", "launch.not-requested"),
            ("8003", "800"),
        ] {
            assert!(near(text).starts_with(first), "{text}: {}", near(text));
        }
        for text in ["no.such", "", "zzz", "424242"] {
            assert_eq!(near(text), "", "{text}");
        }
    }
}
