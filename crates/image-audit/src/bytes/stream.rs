//! A stream that was consumed: its start and its end are kept, and what was found between them.

use std::io::{self, BufRead, ErrorKind};
use std::ops::Range;

use super::{Bytes, Findings, OVERLAP, Searched, texts};
use crate::fatbin::scanner::{Ranges, Scanner};
use crate::strings::{self, Hit, Piece};

/// What was kept of a stream: its start, its end, and what was found in between.
pub struct Kept {
    head: Vec<u8>,
    tail: Tail,
    length: u64,
    names: Vec<Hit>,
    pieces: Vec<Piece>,
    scanner: Scanner,
}

/// Bytes kept of the start, where headers and string tables are. Fuzzing uses smaller limits, so that small
/// inputs reach the code for large files.
pub const HEAD: u64 = if cfg!(feature = "fuzzing") { 16 << 10 } else { 48 << 20 };
/// Bytes kept of the end, where section headers are, and the string tables of files that patchelf changed.
const TAIL: usize = if cfg!(feature = "fuzzing") { 4 << 10 } else { 16 << 20 };
/// Bytes read at once between them.
const CHUNK: usize = if cfg!(feature = "fuzzing") { 1 << 10 } else { 256 << 10 };

impl Kept {
    /// Reads a file of `length` bytes to its end, if `wanted` accepts its first bytes.
    pub fn read(
        stream: &mut dyn BufRead,
        length: u64,
        wanted: fn(&[u8]) -> bool,
    ) -> io::Result<Option<Kept>> {
        let mut head = Vec::new();
        take(stream, length.min(64), &mut head)?;
        if !wanted(&head) {
            return Ok(None);
        }
        take(stream, length.min(HEAD), &mut head)?;
        let mut kept = Kept {
            head,
            tail: Tail::default(),
            length,
            names: Vec::new(),
            pieces: Vec::new(),
            scanner: Scanner::default(),
        };
        let read = kept.head.len() as u64;
        if read < length.min(HEAD) {
            let why = format!("truncated: {read} of {length} bytes");
            return Err(io::Error::new(ErrorKind::UnexpectedEof, why));
        }
        if read < length {
            kept.read_rest(stream)?;
        }
        Ok(Some(kept))
    }

    /// Searches what follows the head, and keeps the last bytes of it.
    fn read_rest(&mut self, stream: &mut dyn BufRead) -> io::Result<()> {
        self.scanner.feed(0, &self.head);
        // A name counts in the piece that has its context.
        let mut named = self.head.len() as u64 - strings::CONTEXT;
        self.names.extend(strings::find(0, &self.head).filter(|hit| hit.at < named));
        self.pieces.extend(strings::pieces(0, &self.head));
        // Each piece begins with the last bytes of the previous one, so that nothing is cut in two.
        let mut piece = vec![0; OVERLAP + CHUNK];
        let mut start = (self.head.len() - OVERLAP) as u64;
        piece[..OVERLAP].copy_from_slice(&self.head[start as usize..]);
        let mut left = self.length - self.head.len() as u64;
        while left > 0 {
            let end = OVERLAP + (CHUNK as u64).min(left) as usize;
            stream.read_exact(&mut piece[OVERLAP..end])?;
            let until = start + end as u64;
            let whole = if until == self.length { until } else { until - strings::CONTEXT };
            self.names
                .extend(strings::find(start, &piece[..end]).filter(|hit| (named..whole).contains(&hit.at)));
            named = whole;
            self.pieces.extend(strings::pieces(start, &piece[..end]));
            self.scanner.feed(start, &piece[..end]);
            self.tail.push(&piece[OVERLAP..end]);
            piece.copy_within(end - OVERLAP..end, 0);
            start += (end - OVERLAP) as u64;
            left -= (end - OVERLAP) as u64;
        }
        Ok(())
    }

    fn is_whole(&self) -> bool {
        self.head.len() as u64 == self.length
    }
}

/// Reads until `into` has `bytes` bytes or the stream ends, without zeroing memory first.
fn take(stream: &mut dyn BufRead, bytes: u64, into: &mut Vec<u8>) -> io::Result<()> {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    into.reserve_exact(bytes - into.len());
    while into.len() < bytes {
        let there = match stream.fill_buf() {
            Ok([]) => break,
            Ok(there) => there,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let now = there.len().min(bytes - into.len());
        into.extend_from_slice(&there[..now]);
        stream.consume(now);
    }
    Ok(())
}

/// The last [`TAIL`] bytes of what was pushed.
#[derive(Default)]
struct Tail {
    /// Once full, the oldest byte is at `next`.
    ring: Vec<u8>,
    next: usize,
}

impl Tail {
    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = if self.ring.len() < TAIL { TAIL - self.ring.len() } else { TAIL - self.next };
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if self.ring.len() < TAIL {
                self.ring.extend_from_slice(now);
            } else {
                self.ring[self.next..][..now.len()].copy_from_slice(now);
                self.next = (self.next + now.len()) % TAIL;
            }
            bytes = later;
        }
    }

    fn len(&self) -> usize {
        self.ring.len()
    }

    fn read(&self, buffer: &mut [u8], from: usize) -> usize {
        let (newer, older) = self.ring.split_at(self.next);
        let read = copy(older, from, buffer);
        read + copy(newer, from.saturating_sub(older.len()), &mut buffer[read..])
    }
}

/// Copies as much as there is.
fn copy(bytes: &[u8], from: usize, buffer: &mut [u8]) -> usize {
    let bytes = bytes.get(from..).unwrap_or_default();
    let read = bytes.len().min(buffer.len());
    buffer[..read].copy_from_slice(&bytes[..read]);
    read
}

impl Bytes for Kept {
    fn len(&self) -> u64 {
        self.length
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = if offset < self.head.len() as u64 { 0 } else { self.length - self.tail.len() as u64 };
        let Some(from) = offset.checked_sub(start) else {
            let why = "this part of the stream was not kept; audit the archive as a file";
            return Err(io::Error::new(ErrorKind::Unsupported, why));
        };
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(if start == 0 { copy(&self.head, from, buffer) } else { self.tail.read(buffer, from) })
    }

    fn search(&self, sections: &[Searched], _: &mut Vec<u8>) -> Findings {
        if !self.is_whole() {
            return Findings::of(&self.scanner, self.names.iter(), sections);
        }
        let mut scanner = Scanner::default();
        for Searched { range, .. } in sections {
            scanner.go_to(range.start);
            let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(self.head.len());
            scanner.feed(0, &self.head[..end]);
        }
        let hits: Vec<Hit> = strings::find(0, &self.head).collect();
        Findings::of(&scanner, hits.iter(), sections)
    }

    fn pieces(&self, code: &[Range<u64>], _: &mut Vec<u8>) -> Vec<String> {
        let inside = Ranges::new(code.iter().cloned());
        if !self.is_whole() {
            return texts(self.pieces.iter().filter(|piece| inside.contain(piece.at)));
        }
        let found: Vec<Piece> = strings::pieces(0, &self.head).collect();
        texts(found.iter().filter(|piece| inside.contain(piece.at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Part;
    use crate::strings::Found;

    /// Each eight bytes are their index.
    fn numbered(length: u64) -> Vec<u8> {
        (0..length / 8).flat_map(u64::to_le_bytes).collect()
    }

    #[test]
    fn streams_keep_their_start_and_end() {
        let tail = TAIL as u64;
        let length = HEAD + 2 * tail + 3 * CHUNK as u64 + 8;
        let bytes = numbered(length);
        let kept = Kept::read(&mut &bytes[..], length, |_| true).unwrap().unwrap();
        let mut buffer = [0; 4096];
        let half = buffer.len() as u64 / 2;
        // The ring wraps around somewhere in the tail.
        let places = (length - tail..length - half).step_by(buffer.len() / 2);
        for place in [0, HEAD - 2 * half].into_iter().chain(places) {
            assert_eq!(kept.read_at(&mut buffer, place).unwrap(), buffer.len(), "{place}");
            assert_eq!(buffer, bytes[place as usize..][..buffer.len()], "{place}");
        }
        assert_eq!(kept.read_at(&mut buffer, length - 8).unwrap(), 8);
        assert_eq!(kept.read_at(&mut buffer, length).unwrap(), 0);
        for gone in [HEAD, length - tail - 1] {
            assert_eq!(kept.read_at(&mut buffer, gone).unwrap_err().kind(), ErrorKind::Unsupported);
        }
    }

    #[test]
    fn names_and_code_are_found_alike_in_files_and_streams() {
        let code = |payload: &[u8]| {
            let region = crate::fatbin::scanner::tests::region(&[(2, 90, 0, payload.len())]);
            [&region[..region.len() - payload.len()], payload].concat()
        };
        let mut bytes = Vec::new();
        for gap in [0, 8, 56, 64, 120, 504, 1000, 5000, 70_000] {
            bytes.extend(vec![0; gap]);
            bytes.extend(b"\0libcublas.so.12\0");
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            // A name in code does not count.
            bytes.extend(code(b"\0\0\0\0libcufft.so.11\0\0\0\0\0\0"));
            bytes.extend(code(&vec![1; 8 * gap]));
        }
        bytes.extend(b"libnccl.so.2\0");
        let length = bytes.len() as u64;
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &bytes).unwrap();
        let part = Part { file: &file, offset: 0, length };
        let kept = Kept::read(&mut &bytes[..], length, |_| true).unwrap().unwrap();
        for range in [0..length, 0..u64::MAX, 24..length, length..u64::MAX] {
            let sections = [Searched { range: range.clone(), names: true }];
            let of_part = part.search(&sections, &mut Vec::new());
            assert_eq!(of_part, kept.search(&sections, &mut Vec::new()), "{range:?}");
            let names = |name: &str| {
                let is = |found: &&Found| matches!(found, Found::Name(text) if text == name);
                of_part.names.iter().filter(is).count()
            };
            let all = if range.start < length { 9 } else { 0 };
            let first = usize::from(range.start == 24);
            assert_eq!(
                (names("libcublas.so.12"), names("libcufft.so.11")),
                (all - first.min(all), 0),
                "{range:?}"
            );
            assert_eq!(names("libnccl.so.2"), usize::from(all > 0), "{range:?}");
            assert_eq!(
                of_part.device_code.iter().map(|code| code.images).sum::<u64>(),
                2 * all as u64,
                "{range:?}"
            );
        }
    }

    #[test]
    fn truncated_streams_are_errors() {
        for length in [100, HEAD + 100] {
            let bytes = numbered(length);
            assert!(Kept::read(&mut &bytes[..length as usize - 9], length, |_| true).is_err());
        }
    }
}
