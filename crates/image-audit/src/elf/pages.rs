//! Lets `object` read a file in pieces.

use object::read::ReadCacheOps;

use crate::bytes::Bytes;

/// Bytes that are always read. They contain the headers, and in small files the names as well.
pub const HEAD: usize = 8192;
/// Bytes read at once elsewhere.
const BLOCK: usize = 4096;

/// A file that is read with few system calls.
pub struct Pages<'a> {
    bytes: &'a dyn Bytes,
    head: &'a [u8],
    block: Vec<u8>,
    block_start: u64,
    block_length: usize,
    position: u64,
}

impl<'a> Pages<'a> {
    /// `head` is the start of the file.
    pub fn new(bytes: &'a dyn Bytes, head: &'a [u8]) -> Pages<'a> {
        Pages { bytes, head, block: vec![0; BLOCK], block_start: 0, block_length: 0, position: 0 }
    }
}

impl Pages<'_> {
    /// Up to `wanted` bytes at the position.
    fn at_hand(&mut self, wanted: usize) -> Result<&[u8], ()> {
        let inside = |start: u64, length: usize| {
            let from = usize::try_from(self.position.checked_sub(start)?).ok()?;
            (from.checked_add(wanted)? <= length).then_some(from)
        };
        if let Some(from) = inside(0, self.head.len()) {
            return Ok(&self.head[from..from + wanted]);
        }
        if let Some(from) = inside(self.block_start, self.block_length) {
            return Ok(&self.block[from..from + wanted]);
        }
        self.block_length = self.bytes.read_at(&mut self.block, self.position).map_err(drop)?;
        self.block_start = self.position;
        Ok(&self.block[..wanted.min(self.block_length)])
    }
}

impl ReadCacheOps for Pages<'_> {
    fn len(&mut self) -> Result<u64, ()> {
        Ok(self.bytes.len())
    }

    fn seek(&mut self, position: u64) -> Result<u64, ()> {
        self.position = position;
        Ok(position)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ()> {
        let read = if buffer.len() <= BLOCK {
            let found = self.at_hand(buffer.len())?;
            buffer[..found.len()].copy_from_slice(found);
            found.len()
        } else {
            self.bytes.read_at(buffer, self.position).map_err(drop)?
        };
        self.position += read as u64;
        Ok(read)
    }

    fn read_exact(&mut self, mut buffer: &mut [u8]) -> Result<(), ()> {
        while !buffer.is_empty() {
            match self.read(buffer)? {
                0 => return Err(()),
                read => buffer = &mut buffer[read..],
            }
        }
        Ok(())
    }
}
