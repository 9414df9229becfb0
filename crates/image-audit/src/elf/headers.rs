//! The headers of an ELF file, its segments and its string table.

use std::cell::Cell;
use std::fmt;
use std::ops::Range;

use anyhow::{Context, Result};
use object::elf::*;
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, ReadRef};

use super::pages::Pages;
use crate::bytes::Bytes;

/// No object has more segments or sections.
pub const MOST_HEADERS: u32 = 4096;
/// Limit of the segments that are read whole: PT_INTERP and PT_DYNAMIC.
const LARGEST_SEGMENT: u64 = 64 << 10;
/// Limit of the total length of the names of an object, which may overlap. Each costs `COST` more.
pub const ROOM: usize = 256 << 10;
pub const COST: usize = size_of::<String>();

/// The layout of 64-bit programs, the only one that CUDA has.
pub type Header = FileHeader64<Endianness>;

/// Why every loader rejects a file, so that it uses nothing. Any other error may be a limit of this reader.
#[derive(Debug)]
pub struct Rejected(&'static str);

impl fmt::Display for Rejected {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(self.0)
    }
}

impl std::error::Error for Rejected {}

/// A file whose headers have been read.
pub struct Object<'a> {
    pub bytes: &'a dyn Bytes,
    pub data: &'a ReadCache<Pages<'a>>,
    pub header: &'a Header,
    pub endian: Endianness,
    pub segments: &'a [ProgramHeader64<Endianness>],
    /// Room left for names.
    room: Cell<usize>,
}

impl<'a> Object<'a> {
    pub fn parse(bytes: &'a dyn Bytes, data: &'a ReadCache<Pages<'a>>) -> Result<Object<'a>> {
        let header = Header::parse(data).ok().ok_or(Rejected("the ELF header is damaged"))?;
        let endian = header.endian().ok().ok_or(Rejected("the ELF header is damaged"))?;
        let segments = header.phnum(endian, data).ok().filter(|count| *count <= MOST_HEADERS);
        let segments = segments.and_then(|_| header.program_headers(endian, data).ok());
        let segments = segments.ok_or(Rejected("the program headers are damaged"))?;
        Ok(Object { bytes, data, header, endian, segments, room: Cell::new(ROOM) })
    }

    /// The first segment of a kind, like the kernel and the loader.
    pub fn segment(&self, kind: ProgramType) -> Option<&ProgramHeader64<Endianness>> {
        let segment = self.segments.iter().find(|segment| segment.p_type(self.endian) == kind);
        segment.filter(|segment| segment.p_filesz(self.endian) <= LARGEST_SEGMENT)
    }

    /// The dynamic section.
    pub fn dynamic_entries(&self) -> Option<&'a [Dyn64<Endianness>]> {
        self.segment(PT_DYNAMIC).and_then(|segment| segment.dynamic(self.endian, self.data).ok().flatten())
    }

    /// Whether PT_GNU_STACK asks for an executable stack. Without PT_GNU_STACK, the ABI of x86-64 does.
    pub fn executable_stack(&self) -> bool {
        let stack = self.segments.iter().find(|segment| segment.p_type(self.endian) == PT_GNU_STACK);
        match stack {
            Some(stack) => stack.p_flags(self.endian).contains(PF_X),
            None => self.header.e_machine(self.endian) == EM_X86_64,
        }
    }

    /// Ranges of executable code in the file.
    pub fn code(&self) -> Vec<Range<u64>> {
        let endian = self.endian;
        let code = self
            .segments
            .iter()
            .filter(|segment| segment.p_type(endian) == PT_LOAD && segment.p_flags(endian).contains(PF_X));
        code.map(|segment| {
            let start = segment.p_offset(endian);
            start..start.saturating_add(segment.p_filesz(endian))
        })
        .collect()
    }

    /// The file offset of a memory address.
    pub fn place(&self, address: u64) -> Option<u64> {
        let endian = self.endian;
        self.segments.iter().filter(|segment| segment.p_type(endian) == PT_LOAD).find_map(|segment| {
            let inside = address.checked_sub(segment.p_vaddr(endian))?;
            (inside < segment.p_filesz(endian)).then(|| segment.p_offset(endian).checked_add(inside))?
        })
    }

    pub fn string(&self, strings: &Range<u64>, offset: u64) -> Result<String> {
        let start = strings
            .start
            .checked_add(offset)
            .filter(|start| *start < strings.end)
            .context("a name is outside of the string table")?;
        let name = match self.data.read_bytes_at_until(start..strings.end, 0) {
            Ok(bytes) => lossy(bytes),
            Err(()) => self.long(start..strings.end).context("a name has no terminating NUL")?,
        };
        let left = self.room.get().checked_sub(name.len() + COST).context("too many names")?;
        self.room.set(left);
        Ok(name)
    }

    /// `object` takes no name that is longer than 4 KiB. Search paths that list the directories of many wheels are. A name
    /// without end uses up the room, so that it is read once.
    fn long(&self, range: Range<u64>) -> Option<String> {
        let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(self.room.get());
        let mut bytes = vec![0; length];
        let read = self.bytes.read_at(&mut bytes, range.start).ok()?;
        let end = memchr::memchr(0, &bytes[..read]);
        if end.is_none() {
            self.room.set(0);
        }
        Some(lossy(&bytes[..end?]))
    }
}

pub fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
