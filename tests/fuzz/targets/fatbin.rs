//! Device code: one piece, overlapping pieces and a file give the same result.

#![no_main]

use cudacheck_fuzz::file;
use image_audit::fatbin::{DeviceCode, runs_on};
use image_audit::fuzzing::{Bytes, Part, Scanner, Searched, merged};
use libfuzzer_sys::fuzz_target;

/// The overlap of streams.
const OVERLAP: usize = 128;

fuzz_target!(|data: &[u8]| {
    let Some((first, data)) = data.split_first() else { return };
    let all = 0..data.len() as u64;
    let mut scanner = Scanner::default();
    scanner.feed(0, data);
    let found = scanner.code_in(std::slice::from_ref(&all));

    let mut pieces = Scanner::default();
    let step = usize::from(*first) + 1;
    let mut start = 0;
    while start < data.len() {
        let end = data.len().min(start + OVERLAP + step);
        pieces.feed(start as u64, &data[start..end]);
        start += step;
    }
    assert_eq!(pieces.code_in(std::slice::from_ref(&all)), found);

    let part = Part { file: file(&[data]), offset: 0, length: all.end };
    let code = |ranges: &[std::ops::Range<u64>]| {
        let searched = |range: &std::ops::Range<u64>| Searched { range: range.clone(), names: false };
        let sections: Vec<Searched> = ranges.iter().map(searched).collect();
        part.search(&sections, &mut Vec::new()).device_code
    };
    assert_eq!(code(std::slice::from_ref(&all)), found);

    // Overlapping sections, and two objects.
    let half = all.end / 2;
    let twice = code(&[all.clone(), half..all.end, all]);
    let both = merged([found.as_slice(), &twice]);
    let sum = |bytes: u64, code: &DeviceCode| bytes.saturating_add(code.bytes);
    assert!(both.iter().fold(0, sum) >= found.iter().fold(0, sum));
    for code in &both {
        runs_on(code, 90);
        runs_on(code, u32::from(*first));
    }
});
