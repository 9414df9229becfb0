//! A tar: its members in order, their contents skipped unless read.
//!
//! Members without content have none, whatever size they claim; container engines do the same. Invariant:
//! allocations are bounded by [`EXTENSION`].

use std::fs::File;
use std::io::{self, BufRead, ErrorKind, Read};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, ensure};

use super::header::{BLOCK, Extensions, Header, Member, until_nul};

/// Limit of the size of a layer or a file in one. It keeps the sum of all sizes from overflowing.
pub const LARGEST: u64 = 1 << 40;

/// Padding that may follow the end marker.
const TRAILER: u64 = 64 << 20;

/// The longest pax header or long name: the limit of container engines.
const EXTENSION: u64 = 1 << 20;

/// Bytes that can be read once, forwards.
pub type Stream<'a> = &'a mut (dyn BufRead + Send);

/// A range of a file.
#[derive(Clone, Copy)]
pub struct Section<'a> {
    pub file: &'a File,
    pub at: u64,
    pub end: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let want = left.min(into.len());
        let got = self.file.read_at(&mut into[..want], self.at)?;
        self.at += got as u64;
        Ok(got)
    }
}

/// Where a tar is read from.
pub enum Source<'a> {
    Section(Section<'a>),
    Stream(Stream<'a>),
}

impl Source<'_> {
    /// Reads until the buffer is full or the source ends.
    pub fn fill(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Source::Section(section) => fill(section, into),
            Source::Stream(stream) => fill(stream, into),
        }
    }

    /// Skips bytes, and returns how many were missing.
    fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        match self {
            Source::Section(section) => {
                let there = bytes.min(section.end.saturating_sub(section.at));
                section.at += there;
                Ok(bytes - there)
            }
            Source::Stream(stream) => skip(stream, bytes),
        }
    }
}

/// Reads until the buffer is full or the input ends.
pub fn fill(input: &mut dyn Read, into: &mut [u8]) -> io::Result<usize> {
    let (filled, ended) = fill_until(input, into);
    ended.map(|_| filled)
}

/// Reads until the buffer is full, or the input ends (true) or fails. Returns what was read before that.
pub fn fill_until(input: &mut dyn Read, into: &mut [u8]) -> (usize, io::Result<bool>) {
    let mut filled = 0;
    while filled < into.len() {
        match input.read(&mut into[filled..]) {
            Ok(0) => return (filled, Ok(true)),
            Ok(got) => filled += got,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (filled, Err(error)),
        }
    }
    (filled, Ok(false))
}

/// Skips bytes of a stream, and returns how many were missing.
pub fn skip(stream: &mut dyn BufRead, mut bytes: u64) -> io::Result<u64> {
    while bytes > 0 {
        let there = match stream.fill_buf() {
            Ok(there) => there.len(),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if there == 0 {
            break;
        }
        let step = bytes.min(there as u64);
        stream.consume(step as usize);
        bytes -= step;
    }
    Ok(bytes)
}

/// A tar that is being read.
pub struct Tar<'a> {
    source: Source<'a>,
    /// Unread bytes of the current content, and the padding after it.
    left: u64,
    padding: u64,
    /// The end was marked by a block of zeros.
    pub marked: bool,
}

impl<'a> Tar<'a> {
    pub fn new(source: Source<'a>) -> Self {
        Tar { source, left: 0, padding: 0, marked: false }
    }

    /// The next member; None at the end.
    pub fn next(&mut self) -> Result<Option<Member>> {
        let mut more = Extensions::default();
        loop {
            self.leave_content()?;
            let mut block = [0; BLOCK];
            let got = self.source.fill(&mut block)?;
            ensure!(got == 0 || got == BLOCK, "ends inside a header");
            if got == 0 || block == [0; BLOCK] {
                ensure!(!more.any, "ends after an extension header");
                self.marked = got != 0;
                return self.end().map(|()| None);
            }
            let header = Header::parse(&block)?;
            match header.kind {
                b'L' => more.name = Some(until_nul(&self.extension(header.bytes)?).to_vec()),
                b'K' => more.link = Some(until_nul(&self.extension(header.bytes)?).to_vec()),
                b'x' => more.read_pax(&self.extension(header.bytes)?)?,
                // Defaults for what follows, which container engines ignore.
                b'g' => self.enter_content(header.bytes)?,
                _ => return self.member(&block, header, more).map(Some),
            }
            more.any |= header.kind != b'g';
        }
    }

    fn member(&mut self, block: &[u8; BLOCK], header: Header, more: Extensions) -> Result<Member> {
        let real_bytes = if header.kind == b'S' { Some(self.old_sparse(block)?) } else { more.real_bytes };
        let stored = more.bytes.unwrap_or(header.bytes);
        let member = more.complete(header, real_bytes);
        ensure!(stored.max(member.bytes) <= LARGEST, "claims an impossibly large size");
        self.enter_content(if matches!(member.kind, b'1'..=b'6') { 0 } else { stored })?;
        Ok(member)
    }

    /// The real size of an old GNU sparse file, whose list of parts may span several blocks.
    fn old_sparse(&mut self, block: &[u8; BLOCK]) -> Result<u64> {
        let mut continued = block[482] != 0;
        while continued {
            let mut list = [0; BLOCK];
            ensure!(self.source.fill(&mut list)? == BLOCK, "ends inside the list of a sparse file");
            continued = list[504] != 0;
        }
        Header::real_bytes(block)
    }

    /// The content of the last member.
    pub fn content(&mut self) -> Inside<'_> {
        match &mut self.source {
            Source::Section(section) => {
                let end = section.end.min(section.at.saturating_add(self.left));
                Inside::Section(Section { end, ..*section })
            }
            Source::Stream(stream) => Inside::Part(Part { stream: &mut **stream, left: &mut self.left }),
        }
    }

    fn enter_content(&mut self, bytes: u64) -> Result<()> {
        let padded =
            bytes.checked_next_multiple_of(BLOCK as u64).context("claims an impossibly large size")?;
        self.left = bytes;
        self.padding = padded - bytes;
        Ok(())
    }

    fn leave_content(&mut self) -> Result<()> {
        let missing = self.source.skip(self.left)?;
        ensure!(missing == 0, "is truncated: {missing} bytes are missing");
        self.left = 0;
        // Some writers omit the padding of the last member.
        self.source.skip(self.padding)?;
        self.padding = 0;
        Ok(())
    }

    fn extension(&mut self, bytes: u64) -> Result<Vec<u8>> {
        ensure!(bytes <= EXTENSION, "an extension header claims {bytes} bytes");
        self.enter_content(bytes)?;
        let mut text = vec![0; bytes as usize];
        let got = self.source.fill(&mut text)?;
        ensure!(got == text.len(), "ends inside an extension header");
        self.left = 0;
        Ok(text)
    }

    /// Reads what follows the end marker, so that the checksum of a compressed tar is verified.
    fn end(&mut self) -> Result<()> {
        let mut block = [0; BLOCK];
        self.source.fill(&mut block)?;
        ensure!(block == [0; BLOCK], "continues after its end marker");
        if let Source::Stream(stream) = &mut self.source {
            ensure!(skip(*stream, TRAILER)? > 0, "continues long after its end marker");
        }
        Ok(())
    }
}

/// The content of a member.
pub enum Inside<'a> {
    /// Shorter than the member claims if the tar is truncated.
    Section(Section<'a>),
    Part(Part<'a>),
}

/// The content of a member in a stream. Unread bytes are skipped.
pub struct Part<'a> {
    stream: Stream<'a>,
    left: &'a mut u64,
}

impl Read for Part<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(*self.left).unwrap_or(usize::MAX).min(into.len());
        let got = if want == 0 { 0 } else { self.stream.read(&mut into[..want])? };
        *self.left -= got as u64;
        Ok(got)
    }
}

impl BufRead for Part<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = usize::try_from(*self.left).unwrap_or(usize::MAX);
        if left == 0 {
            return Ok(&[]);
        }
        let there = self.stream.fill_buf()?;
        Ok(&there[..there.len().min(left)])
    }

    fn consume(&mut self, bytes: usize) {
        self.stream.consume(bytes);
        *self.left -= bytes as u64;
    }
}
