//! One ELF file: what the loader sees (names, dependencies, search paths, symbol versions), and its device
//! code.
//!
//! Bounded pieces are read, never the whole file. Offsets and sizes in the file are not trusted.
//! `sections.rs` reads what the loader ignores.

mod forward;
mod sections;

use std::cell::Cell;
use std::ops::Range;

use anyhow::{Context, Result, bail};
use object::elf::*;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadCacheOps};
use object::{Endianness, ReadRef};

use crate::bytes::Bytes;
use crate::fatbin::DeviceCode;
pub use forward::Forward;

/// What is known about a 64-bit ELF file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    /// e_machine, such as 62 for x86-64.
    pub machine: u16,
    /// PT_INTERP: the loader of a program.
    pub interpreter: Option<String>,
    /// Whether it has a dynamic section, so that a loader accepts it.
    pub dynamic: bool,
    /// DT_SONAME.
    pub soname: Option<String>,
    /// DT_NEEDED, in order.
    pub needed: Vec<String>,
    /// Directories of DT_RPATH.
    pub rpath: Vec<String>,
    /// Directories of DT_RUNPATH.
    pub runpath: Vec<String>,
    /// DF_1_NODEFLIB: the loader does not search its default directories for this object.
    pub no_default_directories: bool,
    /// Symbol versions that it needs, such as GLIBC_2.34 of libc.so.6.
    pub versions_needed: Vec<VersionsNeeded>,
    /// Symbol versions that it defines.
    pub versions_defined: Vec<String>,
    /// Whether it imports dlopen, so that it may load what it names.
    pub imports_dlopen: bool,
    /// Sonames and paths of CUDA libraries in its read-only data.
    pub names: Vec<String>,
    /// Stems in its read-only data that look like parts of such names.
    pub mentions: Vec<String>,
    /// Of glibc's loader: the default directories, in order.
    pub system_directories: Vec<String>,
    /// Device code, by architecture.
    pub device_code: Vec<DeviceCode>,
    /// Of a libcuda for forward compatibility: the drivers that it supports.
    pub forward: Option<Forward>,
}

/// Symbol versions that an object needs of one library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionsNeeded {
    /// The library.
    pub soname: String,
    /// The versions, except weak ones.
    pub versions: Vec<String>,
}

/// What to read beyond what the loader needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Names that may be passed to dlopen.
    pub names: bool,
    pub device_code: bool,
}

/// A string table larger than this is no string table.
const STRINGS: u64 = 256 << 20;
/// No object has more version entries.
const MOST_VERSIONS: u64 = 4096;
/// No object has more segments or sections.
const MOST_HEADERS: u32 = 4096;
/// Limit of the segments that are read whole: PT_INTERP and PT_DYNAMIC.
const LARGEST_SEGMENT: u64 = 64 << 10;
/// Limit of the total length of the names of an object, which may overlap. Each costs `COST` more.
const ROOM: usize = 256 << 10;
const COST: usize = size_of::<String>();

/// The layout of 64-bit programs, the only one that CUDA has.
type Header = FileHeader64<Endianness>;

/// Reads a file. None if it is not a 64-bit ELF file. `scratch` is a buffer that calls share.
pub fn read(bytes: &dyn Bytes, depth: Depth, scratch: &mut Vec<u8>) -> Result<Option<Elf>> {
    let mut head = vec![0; HEAD];
    let read = bytes.read_at(&mut head, 0)?;
    head.truncate(read);
    if !is_elf(&head) {
        return Ok(None);
    }
    let pages =
        Pages { bytes, head: &head, block: vec![0; BLOCK], block_start: 0, block_length: 0, position: 0 };
    Object::parse(bytes, &ReadCache::new(pages))?.read(depth, scratch).map(Some)
}

/// Whether a file begins like a 64-bit ELF file.
pub fn is_elf(head: &[u8]) -> bool {
    matches!(head, [0x7f, b'E', b'L', b'F', class, ..] if *class == ELFCLASS64.0)
}

/// Bytes that are always read. They contain the headers, and in small files the names as well.
const HEAD: usize = 8192;
/// Bytes read at once elsewhere.
const BLOCK: usize = 4096;

/// Lets `object` read a file with few system calls.
struct Pages<'a> {
    bytes: &'a dyn Bytes,
    head: &'a [u8],
    block: Vec<u8>,
    block_start: u64,
    block_length: usize,
    position: u64,
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

/// A file whose headers have been read.
struct Object<'a> {
    bytes: &'a dyn Bytes,
    data: &'a ReadCache<Pages<'a>>,
    header: &'a Header,
    endian: Endianness,
    segments: &'a [ProgramHeader64<Endianness>],
    /// Room left for names.
    room: Cell<usize>,
}

impl<'a> Object<'a> {
    fn parse(bytes: &'a dyn Bytes, data: &'a ReadCache<Pages<'a>>) -> Result<Object<'a>> {
        let header = Header::parse(data).ok().context("the ELF header is damaged")?;
        let endian = header.endian().ok().context("the ELF header is damaged")?;
        let segments = header.phnum(endian, data).ok().filter(|count| *count <= MOST_HEADERS);
        let segments = segments.and_then(|_| header.program_headers(endian, data).ok());
        let segments = segments.context("the program headers are damaged")?;
        Ok(Object { bytes, data, header, endian, segments, room: Cell::new(ROOM) })
    }

    fn read(&self, depth: Depth, scratch: &mut Vec<u8>) -> Result<Elf> {
        let mut elf = Elf { machine: self.header.e_machine(self.endian).0, ..Elf::default() };
        let (endian, data) = (self.endian, self.data);
        let interpreter =
            self.segment(PT_INTERP).and_then(|segment| segment.interpreter(endian, data).ok().flatten());
        elf.interpreter = interpreter.map(lossy);
        let dynamic =
            self.segment(PT_DYNAMIC).and_then(|segment| segment.dynamic(endian, data).ok().flatten());
        let strings = match dynamic {
            Some(entries) => self.dynamic(entries, &mut elf)?,
            None => None,
        };
        let is_loader = elf.soname.as_deref().is_some_and(|soname| soname.starts_with("ld-linux"));
        let is_driver = elf.soname.as_deref().is_some_and(|soname| soname.starts_with("libcuda.so"));
        if !is_loader && !is_driver && !depth.names && !depth.device_code {
            return Ok(elf);
        }
        let Some(sections) = self.sections() else { return Ok(elf) };
        if is_loader {
            elf.system_directories = self.system_directories(&sections, scratch);
        }
        if is_driver {
            elf.forward = self.forward(&sections);
        }
        if depth.names {
            (elf.names, elf.mentions) = self.read_only_names(&sections, scratch);
            let any = !elf.names.is_empty() || !elf.mentions.is_empty();
            if let Some(strings) = strings.filter(|_| any) {
                elf.imports_dlopen = self.imports_dlopen(&sections, &strings, scratch);
            }
        }
        if depth.device_code {
            elf.device_code = self.device_code(&sections, scratch);
        }
        Ok(elf)
    }

    /// The first segment of a kind, like the kernel and the loader.
    fn segment(&self, kind: ProgramType) -> Option<&ProgramHeader64<Endianness>> {
        let segment = self.segments.iter().find(|segment| segment.p_type(self.endian) == kind);
        segment.filter(|segment| segment.p_filesz(self.endian) <= LARGEST_SEGMENT)
    }

    /// Reads the dynamic section. Returns the range of the string table.
    fn dynamic(&self, entries: &[Dyn64<Endianness>], elf: &mut Elf) -> Result<Option<Range<u64>>> {
        let endian = self.endian;
        elf.dynamic = true;
        let end = entries.iter().position(|entry| entry.tag(endian) == DT_NULL).unwrap_or(entries.len());
        let entries = &entries[..end];
        let value =
            |tag| entries.iter().find(|entry| entry.tag(endian) == tag).map(|entry| entry.d_val(endian));
        let (Some(address), Some(size)) = (value(DT_STRTAB), value(DT_STRSZ)) else {
            return Ok(None);
        };
        let place = self.place(address).context("the string table is outside of all segments")?;
        if size > STRINGS {
            bail!("the string table claims {size} bytes");
        }
        let strings =
            place..place.checked_add(size).context("the string table claims an impossibly large size")?;
        for entry in entries {
            let offset = entry.d_val(endian);
            let paths = || -> Result<Vec<String>> {
                Ok(self.string(&strings, offset)?.split(':').map(str::to_owned).collect())
            };
            match entry.tag(endian) {
                DT_SONAME => elf.soname = Some(self.string(&strings, offset)?),
                DT_NEEDED => elf.needed.push(self.string(&strings, offset)?),
                DT_RPATH => elf.rpath = paths()?,
                DT_RUNPATH => elf.runpath = paths()?,
                DT_FLAGS_1 => elf.no_default_directories = offset & DF_1_NODEFLIB.0 != 0,
                _ => {}
            }
        }
        if let Some(address) = value(DT_VERNEED) {
            elf.versions_needed = self.versions_needed(address, value(DT_VERNEEDNUM).unwrap_or(0), &strings);
        }
        if let Some(address) = value(DT_VERDEF) {
            elf.versions_defined = self.versions_defined(address, value(DT_VERDEFNUM).unwrap_or(0), &strings);
        }
        Ok(Some(strings))
    }

    /// The file offset of a memory address.
    fn place(&self, address: u64) -> Option<u64> {
        let endian = self.endian;
        self.segments.iter().filter(|segment| segment.p_type(endian) == PT_LOAD).find_map(|segment| {
            let inside = address.checked_sub(segment.p_vaddr(endian))?;
            (inside < segment.p_filesz(endian)).then(|| segment.p_offset(endian).checked_add(inside))?
        })
    }

    fn string(&self, strings: &Range<u64>, offset: u64) -> Result<String> {
        let start = strings
            .start
            .checked_add(offset)
            .filter(|start| *start < strings.end)
            .context("a name is outside of the string table")?;
        let bytes = self
            .data
            .read_bytes_at_until(start..strings.end, 0)
            .ok()
            .context("a name has no terminating NUL")?;
        let left = self.room.get().checked_sub(bytes.len() + COST).context("too many names")?;
        self.room.set(left);
        Ok(lossy(bytes))
    }

    /// DT_VERNEED: a list of files, each with a list of versions. Damage ends the list.
    fn versions_needed(&self, address: u64, count: u64, strings: &Range<u64>) -> Vec<VersionsNeeded> {
        let mut list = Vec::new();
        let Some(mut at) = self.place(address) else { return list };
        for _ in 0..count.min(MOST_VERSIONS) {
            let Ok(need) = self.data.read_at::<Verneed<Endianness>>(at) else { break };
            let Ok(soname) = self.string(strings, need.vn_file.get(self.endian).into()) else { break };
            let mut versions = Vec::new();
            let mut auxiliary = at.saturating_add(need.vn_aux.get(self.endian).into());
            for _ in 0..u64::from(need.vn_cnt.get(self.endian)).min(MOST_VERSIONS) {
                let Ok(version) = self.data.read_at::<Vernaux<Endianness>>(auxiliary) else { break };
                // The object loads without weak references.
                let weak = version.vna_flags.get(self.endian).0 & VER_FLG_WEAK.0 != 0;
                let Ok(name) = self.string(strings, version.vna_name.get(self.endian).into()) else { break };
                if !weak {
                    versions.push(name);
                }
                match version.vna_next.get(self.endian) {
                    0 => break,
                    next => auxiliary = auxiliary.saturating_add(next.into()),
                }
            }
            list.push(VersionsNeeded { soname, versions });
            match need.vn_next.get(self.endian) {
                0 => break,
                next => at = at.saturating_add(next.into()),
            }
        }
        list
    }

    /// DT_VERDEF: a list of definitions; the first name of each counts.
    fn versions_defined(&self, address: u64, count: u64, strings: &Range<u64>) -> Vec<String> {
        let mut list = Vec::new();
        let Some(mut at) = self.place(address) else { return list };
        for _ in 0..count.min(MOST_VERSIONS) {
            let Ok(definition) = self.data.read_at::<Verdef<Endianness>>(at) else { break };
            let auxiliary = at.saturating_add(definition.vd_aux.get(self.endian).into());
            let Ok(name) = self.data.read_at::<Verdaux<Endianness>>(auxiliary) else { break };
            list.extend(self.string(strings, name.vda_name.get(self.endian).into()));
            match definition.vd_next.get(self.endian) {
                0 => break,
                next => at = at.saturating_add(next.into()),
            }
        }
        list
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
