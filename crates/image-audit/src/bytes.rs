//! Bytes of one file by position: of a file, of a part of an archive, or of a stream that was consumed.
//! Reading what a stream did not keep is an error.

mod stream;

use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::fatbin::DeviceCode;
use crate::fatbin::scanner::{Ranges, Scanner};
use crate::strings::{self, Found, Hit, Piece};

#[cfg(feature = "fuzzing")]
pub use stream::HEAD;
pub use stream::Kept;

/// A file that can be read at any position.
#[allow(clippy::len_without_is_empty, reason = "no caller needs is_empty")]
pub trait Bytes {
    fn len(&self) -> u64;

    /// Like `pread`: fewer bytes than requested only at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Device code in some ranges, and names of CUDA libraries between it.
    fn search(&self, sections: &[Searched], scratch: &mut Vec<u8>) -> Findings {
        let (mut scanner, mut hits) = (Scanner::default(), Vec::new());
        for Searched { range, names } in sections {
            scanner.go_to(range.start);
            // Names before this offset were found.
            let mut named = range.start;
            // Sections may claim to end anywhere.
            let last = range.end.min(self.len());
            while scanner.at < last {
                let start = scanner.at;
                let from = named.min(start).saturating_sub(strings::CONTEXT);
                let end = (start + scanner.read_size() as u64).min(last) + strings::CONTEXT;
                let wanted = (end.min(self.len()) - from) as usize;
                grow(scratch, wanted);
                let Ok(read @ 1..) = self.read_at(&mut scratch[..wanted], from) else { break };
                let piece = &scratch[..read];
                let until = from + read as u64;
                let whole =
                    if until >= self.len() { until } else { until - strings::CONTEXT.min(read as u64) };
                if *names {
                    hits.extend(strings::find(from, piece).filter(|hit| (named..whole).contains(&hit.at)));
                }
                let inside = usize::try_from(last - from).map_or(read, |inside| inside.min(read));
                scanner.feed(from, &piece[..inside]);
                // What is skipped is code. A header that was read is longer than the context of a name.
                named = if scanner.at > until { scanner.at } else { named.max(whole) };
                if scanner.at == start {
                    break;
                }
            }
        }
        Findings::of(&scanner, hits.iter(), sections)
    }

    /// Pieces of names in some ranges of code, sorted.
    fn pieces(&self, code: &[Range<u64>], scratch: &mut Vec<u8>) -> Vec<String> {
        let mut found = Vec::new();
        for range in code {
            let range = range.start..range.end.min(self.len());
            any_piece(self, range, strings::PIECE - 1, scratch, |at, piece| {
                found.extend(strings::pieces(at, piece));
                false
            });
        }
        texts(found.iter())
    }
}

fn texts<'a>(pieces: impl Iterator<Item = &'a Piece>) -> Vec<String> {
    let mut texts: Vec<String> = pieces.map(|piece| piece.text.clone()).collect();
    texts.sort();
    texts.dedup();
    texts
}

/// A range in which code is searched.
#[derive(Clone, Debug)]
pub struct Searched {
    pub range: Range<u64>,
    /// Whether names are searched as well.
    pub names: bool,
}

/// What a search found.
#[derive(Debug, Default, PartialEq)]
pub struct Findings {
    pub names: Vec<Found>,
    pub device_code: Vec<DeviceCode>,
}

impl Findings {
    fn of<'a>(scanner: &Scanner, hits: impl Iterator<Item = &'a Hit>, sections: &[Searched]) -> Findings {
        let with_names = sections.iter().filter(|section| section.names);
        let named = Ranges::new(with_names.map(|section| section.range.clone()));
        let inside = |hit: &&Hit| named.contain(hit.at) && !scanner.is_code(hit.at);
        let ranges: Vec<Range<u64>> = sections.iter().map(|section| section.range.clone()).collect();
        Findings {
            names: hits.filter(inside).map(|hit| hit.text.clone()).collect(),
            device_code: scanner.code_in(&ranges),
        }
    }
}

/// Whether `test` accepts a piece of the range. Pieces overlap, so that nothing is cut in two.
pub fn any_piece(
    bytes: &(impl Bytes + ?Sized),
    range: Range<u64>,
    overlap: usize,
    scratch: &mut Vec<u8>,
    mut test: impl FnMut(u64, &[u8]) -> bool,
) -> bool {
    let mut at = range.start;
    while at < range.end {
        let wanted = PIECE.min(range.end - at) as usize;
        grow(scratch, wanted);
        // A range may end beyond the file.
        let Ok(read @ 1..) = bytes.read_at(&mut scratch[..wanted], at) else { return false };
        if test(at, &scratch[..read]) {
            return true;
        }
        if at + read as u64 >= range.end || read <= overlap {
            return false;
        }
        at += (read - overlap) as u64;
    }
    false
}

fn grow(scratch: &mut Vec<u8>, wanted: usize) {
    if scratch.len() < wanted {
        scratch.resize(wanted, 0);
    }
}

/// Size of the pieces that data is searched in: a multiple of the size of a symbol.
const PIECE: u64 = 24 << 14;
/// Overlap of pieces: no name with its context and no header of device code is longer.
const OVERLAP: usize = 2 * strings::CONTEXT as usize;

/// A file, or a part of one.
pub struct Part<'a> {
    pub file: &'a File,
    pub offset: u64,
    pub length: u64,
}

impl Part<'_> {
    /// The first bytes, at most `limit`.
    pub fn first(&self, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(limit.min(self.length)).unwrap_or(usize::MAX)];
        let read = self.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes)
    }
}

impl Bytes for Part<'_> {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        let place = self.offset.checked_add(offset).ok_or(ErrorKind::InvalidInput)?;
        self.file.read_at(&mut buffer[..room], place)
    }
}
