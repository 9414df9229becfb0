//! rpm's database: the input is a database or the header of a package in one.

#![no_main]

use image_audit::fuzzing::rpm_packages;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let found = if data.starts_with(b"SQLite") {
        rpm_packages(data)
    } else {
        let header = &data[..data.len().min(PAGE - 100)];
        rpm_packages(&database(header))
    };
    for package in found.into_iter().flatten() {
        assert!(!package.version.is_empty());
    }
});

const PAGE: usize = 64 << 10;

/// Two pages: the schema table, and a table with one row.
fn database(header: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 2 * PAGE];
    bytes[..16].copy_from_slice(b"SQLite format 3\0");
    bytes[17] = 1;
    (bytes[18], bytes[19]) = (1, 1);
    let list = [6, 23, 29, 29, 1, 13].as_slice();
    let row = [list, b"tablePackagesPackages", &[2]].concat();
    leaf(&mut bytes[..PAGE], 100, &row);
    let blob = varint(2 * header.len() + 12);
    let head = [&[blob.len() as u8 + 2, 0], blob.as_slice()].concat();
    leaf(&mut bytes[PAGE..], 0, &[head.as_slice(), header].concat());
    bytes
}

/// A leaf with one row at its end.
fn leaf(page: &mut [u8], at: usize, payload: &[u8]) {
    let cell = [varint(payload.len()).as_slice(), &[1], payload].concat();
    let start = page.len() - cell.len();
    page[start..].copy_from_slice(&cell);
    (page[at], page[at + 4]) = (13, 1);
    page[at + 8..at + 10].copy_from_slice(&(start as u16).to_be_bytes());
}

/// In three bytes, enough for a page.
fn varint(number: usize) -> Vec<u8> {
    [14, 7, 0].map(|shift| (number >> shift & 0x7f) as u8 | if shift > 0 { 0x80 } else { 0 }).to_vec()
}
