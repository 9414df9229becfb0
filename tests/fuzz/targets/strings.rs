//! Names in read-only data: overlapping pieces contain everything that the whole contains.

#![no_main]

use image_audit::catalogue::library_of;
use image_audit::fuzzing::{Found, find_strings};
use libfuzzer_sys::fuzz_target;

/// The overlap of files.
const OVERLAP: usize = 128;

fn found(start: usize, piece: &[u8]) -> Vec<(u64, Found)> {
    find_strings(start as u64, piece).map(|hit| (hit.at, hit.text)).collect()
}

fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else { return };
    let whole = found(0, data);
    for (at, text) in &whole {
        assert!(data[*at as usize..].starts_with(b".so"));
        let name = match text {
            Found::Name(name) => name.clone(),
            Found::Mention(stem) => format!("{stem}.so"),
        };
        assert!(library_of(name.rsplit('/').next().unwrap_or_default()).is_some(), "{name}");
    }
    let mut pieces = Vec::new();
    let step = usize::from(*first) + 1;
    for start in (0..data.len()).step_by(step) {
        pieces.extend(found(start, &data[start..data.len().min(start + OVERLAP + step)]));
    }
    for hit in &whole {
        assert!(pieces.contains(hit), "{hit:?} is cut");
    }
});
