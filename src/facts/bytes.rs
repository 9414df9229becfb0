//! Bytes of one file by position, wherever they come from: a file, a part of an archive, a stream that
//! has gone by. What a stream has not kept cannot be read, and says so.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use super::fatbin::{DeviceCode, Scanner};
use super::strings::{self, Found, Hit};

pub trait Bytes {
    fn len(&self) -> u64;

    /// As `pread`: fewer bytes than asked for only at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Names of listed libraries in a range.
    fn names(&self, range: Range<u64>, scratch: &mut Vec<u8>) -> Vec<Found> {
        let mut names = Vec::new();
        any_piece(self, range, OVERLAP, scratch, |at, piece| {
            names.extend(strings::find(at, piece).map(|hit| hit.text));
            false
        });
        names
    }

    /// Device code in some ranges.
    fn device_code(&self, ranges: &[Range<u64>], scratch: &mut Vec<u8>) -> Vec<DeviceCode> {
        let mut scanner = Scanner::default();
        for range in ranges {
            scanner.go_to(range.start);
            while scanner.at < range.end {
                let start = scanner.at;
                let wanted = (scanner.appetite() as u64).min(range.end - start) as usize;
                grow(scratch, wanted);
                let Ok(read @ 1..) = self.read_at(&mut scratch[..wanted], start) else { break };
                scanner.feed(start, &scratch[..read]);
                if scanner.at == start {
                    break;
                }
            }
        }
        scanner.code_in(ranges)
    }
}

/// Whether `test` says so of a piece of the range; pieces overlap, so that nothing is cut in two.
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
        // A range that goes beyond the file is searched as far as the file goes.
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

/// Data is searched in pieces of so many bytes: a multiple of the size of a symbol.
const PIECE: u64 = 24 << 14;
/// What may be cut in two by the end of a piece: a name, or a header of device code.
const OVERLAP: usize = 128;

/// A file, or a part of one.
pub struct Part<'a> {
    pub file: &'a File,
    pub offset: u64,
    pub length: u64,
}

impl Part<'_> {
    /// The beginning, so many bytes at most.
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
        let place = self.offset.checked_add(offset).ok_or(io::ErrorKind::InvalidInput)?;
        self.file.read_at(&mut buffer[..room], place)
    }
}

/// What a stream kept of a file: its beginning, its end, and what was found on the way.
pub struct Kept {
    head: Vec<u8>,
    tail: Vec<u8>,
    length: u64,
    names: Vec<Hit>,
    scanner: Scanner,
}

/// Bytes of the beginning that are kept: headers and string tables lie there.
const HEAD: u64 = 48 << 20;
/// Bytes of the end that are kept: section headers lie there, and the string tables of files whose
/// search paths were changed after they were linked.
const TAIL: usize = 16 << 20;
const CHUNK: u64 = 256 << 10;

impl Kept {
    /// Reads a file of `length` bytes to its end, unless its first bytes are found not to be worth it.
    pub fn read(stream: &mut dyn Read, length: u64, worth: fn(&[u8]) -> bool) -> io::Result<Option<Kept>> {
        let mut head = Vec::new();
        (&mut *stream).take(length.min(64)).read_to_end(&mut head)?;
        if !worth(&head) {
            return Ok(None);
        }
        let more = length.min(HEAD) - head.len() as u64;
        (&mut *stream).take(more).read_to_end(&mut head)?;
        let mut kept =
            Kept { head, tail: Vec::new(), length, names: Vec::new(), scanner: Scanner::default() };
        let read = kept.head.len() as u64;
        if read < length.min(HEAD) {
            let why = format!("{read} of {length} bytes are there");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        if read < length {
            kept.read_rest(stream)?;
        }
        Ok(Some(kept))
    }

    /// Looks at what lies behind the head, and keeps the last bytes of it.
    fn read_rest(&mut self, stream: &mut dyn Read) -> io::Result<()> {
        self.scanner.feed(0, &self.head);
        self.names.extend(strings::find(0, &self.head));
        let overlap = self.head.len().saturating_sub(OVERLAP);
        let (mut start, mut piece) = (overlap as u64, self.head[overlap..].to_vec());
        let mut left = self.length - self.head.len() as u64;
        while left > 0 {
            let before = piece.len();
            let wanted = CHUNK.min(left);
            piece.resize(before + wanted as usize, 0);
            stream.read_exact(&mut piece[before..])?;
            left -= wanted;
            self.names.extend(strings::find(start, &piece));
            self.scanner.feed(start, &piece);
            self.tail.extend_from_slice(&piece[before..]);
            if self.tail.len() > 2 * TAIL {
                self.tail.drain(..self.tail.len() - TAIL);
            }
            let done = piece.len() - OVERLAP.min(piece.len());
            start += done as u64;
            piece.drain(..done);
        }
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.head.len() as u64 == self.length
    }
}

impl Bytes for Kept {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let tail_start = self.length - self.tail.len() as u64;
        let (from, part) = if offset < self.head.len() as u64 || self.tail.is_empty() {
            (offset, &self.head)
        } else if offset >= tail_start {
            (offset - tail_start, &self.tail)
        } else {
            let why = "this part of the stream has gone by; audit the archive as a file";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        };
        let part = usize::try_from(from).ok().and_then(|from| part.get(from..)).unwrap_or_default();
        let read = part.len().min(buffer.len());
        buffer[..read].copy_from_slice(&part[..read]);
        Ok(read)
    }

    fn names(&self, range: Range<u64>, scratch: &mut Vec<u8>) -> Vec<Found> {
        let mut names = Vec::new();
        if self.is_whole() {
            any_piece(self, range, OVERLAP, scratch, |at, piece| {
                names.extend(strings::find(at, piece).map(|hit| hit.text));
                false
            });
        } else {
            let hits = self.names.iter().filter(|hit| range.contains(&hit.at));
            names.extend(hits.map(|hit| hit.text.clone()));
        }
        names
    }

    fn device_code(&self, ranges: &[Range<u64>], _: &mut Vec<u8>) -> Vec<DeviceCode> {
        if self.is_whole() {
            let mut scanner = Scanner::default();
            for range in ranges {
                scanner.go_to(range.start);
                let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(self.head.len());
                scanner.feed(0, &self.head[..end]);
            }
            return scanner.code_in(ranges);
        }
        self.scanner.code_in(ranges)
    }
}
