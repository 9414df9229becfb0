//! Leftovers: whatever the order of the files, each is counted once at most, in a place that it lies in.

#![no_main]

use cudacheck_fuzz::facts::hygiene::{Collector, Flavour, Leftover};
use libfuzzer_sys::fuzz_target;

/// A line is a number of bytes in its first byte, and a path.
fn collect<'a>(lines: impl Iterator<Item = &'a str>) -> (Vec<Leftover>, Flavour) {
    let mut collector = Collector::new();
    for line in lines {
        let bytes = line.bytes().next().unwrap_or_default();
        // Claims as large as a sparse file makes them.
        let bytes = if bytes == b'!' { u64::MAX / 2 } else { bytes.into() };
        collector.entry(line.get(1..).unwrap_or_default(), bytes);
    }
    let flavour = collector.flavour();
    (collector.finish(), flavour)
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
