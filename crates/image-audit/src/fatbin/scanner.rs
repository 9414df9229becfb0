//! Finds device code in a file, from the headers of fatbins.
//!
//! A fatbin region is a header followed by entries; an entry is PTX or a cubin for one architecture, often
//! compressed. Nothing is decompressed. The scanner takes pieces of a section in order and skips what it does
//! not need, so that it works for files and streams.

use std::collections::BTreeMap;
use std::ops::Range;

use memchr::memmem;

use super::{CodeKind, DeviceCode, PtxVersion};

const MAGIC: [u8; 4] = 0xBA55_ED50_u32.to_le_bytes();
const REGION: usize = 16;
/// Bytes of an entry's header that are read.
const ENTRY: usize = 64;
/// Bytes that are read for the headers of a region and an entry.
const HEADERS: usize = 512;
/// Limit of the size of an entry's header.
const LARGEST_HEADER: u64 = 4096;

const ARCH_SPECIFIC: u64 = 0x10_0000;
const FAMILY_SPECIFIC: u64 = 0x20_0000;
/// Compressed with zstd; 0x2000 is LZ4, which every driver decompresses.
const ZSTD: u64 = 0x8000;

type Key = (CodeKind, u32, char);

/// The images for one architecture.
#[derive(Default)]
struct Sum {
    images: u64,
    bytes: u64,
    newest_ptx: Option<PtxVersion>,
    zstd: u64,
}

impl Sum {
    fn add(&mut self, images: u64, bytes: u64, ptx: Option<PtxVersion>, zstd: u64) {
        // Sizes are claims, and sections may overlap.
        self.images = self.images.saturating_add(images);
        self.bytes = self.bytes.saturating_add(bytes);
        self.newest_ptx = self.newest_ptx.max(ptx);
        self.zstd = self.zstd.saturating_add(zstd);
    }

    fn of(self, arch: String, kind: CodeKind) -> DeviceCode {
        let Sum { images, bytes, newest_ptx, zstd } = self;
        DeviceCode { arch, kind, bytes, images, ptx_version: newest_ptx, zstd }
    }
}

/// Code for one architecture, in one form.
#[derive(Debug)]
struct Entry {
    at: u64,
    key: Key,
    size: u64,
    ptx_version: Option<PtxVersion>,
    zstd: bool,
}

/// Ranges of a file, sorted and without overlaps: there may be thousands, and millions of questions.
pub struct Ranges(Vec<Range<u64>>);

impl Ranges {
    pub fn new(ranges: impl Iterator<Item = Range<u64>>) -> Ranges {
        let mut sorted: Vec<Range<u64>> = ranges.filter(|range| !range.is_empty()).collect();
        sorted.sort_by_key(|range| range.start);
        let mut merged: Vec<Range<u64>> = Vec::new();
        for range in sorted {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Ranges(merged)
    }

    pub fn contain(&self, at: u64) -> bool {
        is_in(&self.0, at)
    }
}

fn is_in(sorted: &[Range<u64>], at: u64) -> bool {
    let after = sorted.partition_point(|range| range.start <= at);
    after.checked_sub(1).is_some_and(|last| sorted[last].contains(&at))
}

/// Finds entries in pieces of a file.
#[derive(Debug, Default)]
pub struct Scanner {
    /// Offset of the next byte that is needed.
    pub at: u64,
    /// End of the region at `at`.
    region: Option<u64>,
    /// Searches since the last region that found none.
    misses: u32,
    found: Vec<Entry>,
    /// Where entries are, of any kind.
    entries: Vec<Range<u64>>,
}

impl Scanner {
    /// Continues at the start of a section, where a region is not expected.
    pub fn go_to(&mut self, at: u64) {
        self.at = at;
        self.region = None;
        self.misses = 3;
    }

    /// How many bytes to read next: a header where a region usually follows, then ever larger pieces of a gap.
    pub fn read_size(&self) -> usize {
        HEADERS << (2 * self.misses).min(10)
    }

    /// Whether a byte is part of an entry. Requires that the file was scanned from its start to its end.
    pub fn is_code(&self, at: u64) -> bool {
        is_in(&self.entries, at)
    }

    /// Scans a piece that begins at `start`. Afterwards `at` is the offset that is needed next.
    pub fn feed(&mut self, start: u64, piece: &[u8]) {
        while let Some(rest) =
            self.at.checked_sub(start).and_then(|skip| piece.get(usize::try_from(skip).ok()?..))
        {
            let advanced = match self.region {
                Some(end) => self.entry(end, rest),
                None => self.search(rest),
            };
            if !advanced {
                return;
            }
        }
    }

    /// False if the rest is too short to continue.
    fn search(&mut self, rest: &[u8]) -> bool {
        let Some(hit) = memmem::find(rest, &MAGIC) else {
            // The magic may begin in the last bytes.
            let skip = rest.len().saturating_sub(MAGIC.len() - 1);
            self.at += skip as u64;
            self.misses += 1;
            return false;
        };
        self.at += hit as u64;
        let Some(header) = rest[hit..].first_chunk::<REGION>() else { return false };
        let version = u16::from_le_bytes([header[4], header[5]]);
        let size = u16::from_le_bytes([header[6], header[7]]);
        let body = u64::from_le_bytes(header[8..].try_into().expect("eight bytes"));
        match self.at.checked_add(REGION as u64).and_then(|inside| inside.checked_add(body)) {
            Some(end) if version == 1 && usize::from(size) == REGION && self.at.is_multiple_of(8) => {
                self.at += REGION as u64;
                self.region = Some(end).filter(|end| *end > self.at);
                self.misses = 0;
            }
            // The same four bytes by chance.
            _ => self.at += MAGIC.len() as u64,
        }
        true
    }

    fn entry(&mut self, end: u64, rest: &[u8]) -> bool {
        let Some(header) = rest.first_chunk::<ENTRY>() else { return false };
        let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let long = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
        let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let kind = match half(0) {
            1 => Some(CodeKind::Ptx),
            2 => Some(CodeKind::Cubin),
            8 => Some(CodeKind::Lto),
            _ => None,
        };
        let size = u64::from(word(4));
        let next = size.checked_add(long(8)).and_then(|bytes| self.at.checked_add(bytes));
        let Some(next) = next.filter(|next| *next <= end && (ENTRY as u64..=LARGEST_HEADER).contains(&size))
        else {
            // Not an entry: search for the next region.
            self.region = None;
            return true;
        };
        if let Some(kind) = kind {
            let flags = long(40);
            let suffix = match (flags & ARCH_SPECIFIC != 0, flags & FAMILY_SPECIFIC != 0) {
                (true, _) => 'a',
                (_, true) => 'f',
                _ => ' ',
            };
            // In clear, even if the text is compressed.
            let ptx_version = (kind == CodeKind::Ptx).then(|| PtxVersion(half(26), half(24)));
            let key = (kind, word(28), suffix);
            let zstd = flags & ZSTD != 0;
            self.found.push(Entry { at: self.at, key, size: next - self.at, ptx_version, zstd });
        }
        match self.entries.last_mut() {
            Some(last) if last.end == self.at => last.end = next,
            _ => self.entries.push(self.at..next),
        }
        self.at = next;
        if next >= end {
            self.region = None;
        }
        true
    }

    /// Device code in some ranges.
    pub fn code_in(&self, ranges: &[Range<u64>]) -> Vec<DeviceCode> {
        let mut sum: BTreeMap<Key, Sum> = BTreeMap::new();
        let ranges = Ranges::new(ranges.iter().cloned());
        let inside = |entry: &&Entry| ranges.contain(entry.at);
        for Entry { key, size, ptx_version, zstd, .. } in self.found.iter().filter(inside) {
            sum.entry(*key).or_default().add(1, *size, *ptx_version, u64::from(*zstd));
        }
        let entry = |((kind, sm, suffix), sum): (Key, Sum)| {
            let prefix = match kind {
                CodeKind::Cubin => "sm",
                CodeKind::Ptx => "compute",
                CodeKind::Lto => "lto",
            };
            sum.of(format!("{prefix}_{sm}{suffix}").trim_end().to_owned(), kind)
        };
        sum.into_iter().map(entry).collect()
    }
}

/// Sums up several lists by architecture.
pub fn merged<'a>(lists: impl IntoIterator<Item = &'a [DeviceCode]>) -> Vec<DeviceCode> {
    let mut sum: BTreeMap<(CodeKind, usize, &str), Sum> = BTreeMap::new();
    for entry in lists.into_iter().flatten() {
        // Sort by length first, so that sm_100 follows sm_90.
        let digits = entry.arch.trim_end_matches(char::is_alphabetic).len();
        let sum = sum.entry((entry.kind, digits, &entry.arch)).or_default();
        sum.add(entry.images, entry.bytes, entry.ptx_version, entry.zstd);
    }
    let entry = |((kind, _, arch), sum): ((CodeKind, usize, &str), Sum)| sum.of(arch.to_owned(), kind);
    sum.into_iter().map(entry).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A region with an entry for each (kind, SM, flags, payload bytes).
    pub fn region(entries: &[(u16, u32, u64, usize)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, sm, flags, payload) in entries {
            let mut header = [0; 72];
            header[..2].copy_from_slice(&kind.to_le_bytes());
            header[4..8].copy_from_slice(&72u32.to_le_bytes());
            header[8..16].copy_from_slice(&(*payload as u64).to_le_bytes());
            header[24..28].copy_from_slice(&[7, 0, 8, 0]);
            header[28..32].copy_from_slice(&sm.to_le_bytes());
            header[40..48].copy_from_slice(&flags.to_le_bytes());
            body.extend(header);
            body.extend(vec![0x50; *payload]);
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 0, 16, 0]);
        bytes.extend((body.len() as u64).to_le_bytes());
        bytes.extend(body);
        bytes
    }

    fn scan(bytes: &[u8], piece: usize) -> Vec<DeviceCode> {
        let mut scanner = Scanner::default();
        for (number, bytes) in bytes.chunks(piece).enumerate() {
            scanner.feed((number * piece) as u64, bytes);
        }
        scanner.code_in(std::slice::from_ref(&(0..u64::MAX)))
    }

    fn entry(arch: &str, kind: CodeKind, images: u64, bytes: u64) -> DeviceCode {
        let ptx_version = (kind == CodeKind::Ptx).then_some(PtxVersion(8, 7));
        DeviceCode { arch: arch.into(), kind, bytes, images, ptx_version, zstd: 0 }
    }

    #[test]
    fn compression_is_counted_by_entry() {
        const LZ4: u64 = 0x2000;
        let bytes = region(&[
            (2, 90, 0, 8),
            (2, 90, ZSTD, 8),
            (2, 90, ZSTD | ARCH_SPECIFIC, 8),
            (2, 80, LZ4, 8),
            (1, 90, ZSTD, 8),
        ]);
        let found = scan(&bytes, bytes.len());
        let counted = |found: &[DeviceCode]| -> Vec<(String, u64, u64)> {
            found.iter().map(|code| (code.arch.clone(), code.images, code.zstd)).collect()
        };
        let expected = |times: u64| {
            [("sm_80", 1, 0), ("sm_90", 2, 1), ("sm_90a", 1, 1), ("compute_90", 1, 1)]
                .map(|(arch, images, zstd)| (arch.to_owned(), images * times, zstd * times))
        };
        assert_eq!(counted(&found), expected(1));
        assert_eq!(counted(&merged([found.as_slice(), &found])), expected(2));
    }

    #[test]
    fn regions_between_other_data() {
        let mut bytes = vec![7; 24];
        bytes.extend(region(&[(2, 90, 0, 16), (2, 90, ARCH_SPECIFIC, 8), (1, 90, 0, 32)]));
        bytes.extend(region(&[(2, 100, FAMILY_SPECIFIC, 8), (2, 90, 0, 16), (8, 90, 0, 8), (9, 1, 0, 8)]));
        bytes.extend(MAGIC);
        let expected = [
            entry("sm_90", CodeKind::Cubin, 2, 2 * 88),
            entry("sm_90a", CodeKind::Cubin, 1, 80),
            entry("sm_100f", CodeKind::Cubin, 1, 80),
            entry("compute_90", CodeKind::Ptx, 1, 104),
            entry("lto_90", CodeKind::Lto, 1, 80),
        ];
        assert_eq!(scan(&bytes, bytes.len()), expected);
    }

    #[test]
    fn damage_adds_no_code() {
        let whole = region(&[(2, 90, 0, 16), (1, 80, 0, 8)]);
        let images = |found: &[DeviceCode]| found.iter().map(|code| code.images).sum::<u64>();
        for end in 1..whole.len() {
            // An entry counts as soon as its header is complete.
            let headers = [REGION + ENTRY, REGION + 72 + 16 + ENTRY].iter().filter(|needed| end >= **needed);
            assert_eq!(images(&scan(&whole[..end], end)), headers.count() as u64, "cut at {end}");
        }
        for at in 0..whole.len() {
            for value in [0, 1, 0x7F, 0xFF] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let found = scan(&bytes, bytes.len());
                let size: u64 = found.iter().map(|code| code.bytes).sum();
                assert!(images(&found) <= 2 && size <= whole.len() as u64, "{value} at {at}: {found:?}");
            }
        }
    }

    #[test]
    fn claimed_sizes_do_not_overflow() {
        let mut bytes = region(&[(2, 90, 0, 8), (2, 90, 0, 8)]);
        bytes[8..16].copy_from_slice(&(u64::MAX - 16).to_le_bytes());
        bytes[16 + 80 + 8..16 + 80 + 16].copy_from_slice(&(u64::MAX - 512).to_le_bytes());
        let found = scan(&bytes, bytes.len());
        assert_eq!(merged([found.as_slice(), &found]), [entry("sm_90", CodeKind::Cubin, 4, u64::MAX)]);
        let mut scanner = Scanner::default();
        for _ in 0..2 {
            scanner.go_to(0);
            scanner.feed(0, &bytes);
        }
        assert_eq!(
            scanner.code_in(std::slice::from_ref(&(0..u64::MAX))),
            [entry("sm_90", CodeKind::Cubin, 4, u64::MAX)]
        );
    }
}
