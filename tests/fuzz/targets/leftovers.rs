//! Leftovers: the order of files does not matter, and each is counted at most once, in a place that contains
//! it.

#![no_main]

use image_audit::fuzzing::{Collector, Leftover};
use image_audit::leftovers::Flavor;
use libfuzzer_sys::fuzz_target;

/// Each line is a size, in its first byte, and a path.
fn collect<'a>(lines: impl Iterator<Item = &'a str>) -> (Vec<Leftover>, Flavor) {
    let mut collector = Collector::new();
    for line in lines {
        let bytes = line.bytes().next().unwrap_or_default();
        // As large as a sparse file can claim.
        let bytes = if bytes == b'!' { u64::MAX / 2 } else { bytes.into() };
        collector.entry(line.get(1..).unwrap_or_default(), bytes);
    }
    let flavor = collector.flavor();
    (collector.finish(), flavor)
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let found = collect(text.lines());
    assert_eq!(found, collect(text.lines().rev()));
    let files: u64 = found.0.iter().map(|leftover| leftover.files).sum();
    assert!(files <= text.lines().count() as u64);
    for leftover in &found.0 {
        let below = leftover.largest.strip_prefix(&leftover.place);
        assert!(below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')), "{leftover:?}");
    }
});
