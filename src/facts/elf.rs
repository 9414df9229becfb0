//! What the loader sees of one ELF file: its names, its needs, its search paths.
//!
//! Bounded pieces are read, never the whole file. Offsets and sizes come from the file and are
//! believed only as far as reading them succeeds. Which of several libraries a need means is no
//! concern of this module.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use memchr::memmem;
use object::elf::*;
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader};
use object::read::{ReadCache, ReadCacheOps};
use object::{Endianness, ReadRef};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    pub machine: u16,
    pub soname: Option<String>,
    pub needed: Vec<String>,
    pub rpath: Vec<String>,
    pub runpath: Vec<String>,
    /// DF_1_NODEFLIB: the cache and the default directories are not for this one.
    pub no_default_directories: bool,
    /// Sonames of listed libraries in the read-only data of an object that imports dlopen.
    pub dlopen_names: Vec<String>,
}

/// A string table larger than this is no string table.
const STRINGS: u64 = 256 << 20;
/// Read-only data is searched in pieces of so many bytes.
const PIECE: u64 = 24 << 14;
/// No soname is longer; pieces overlap by so much.
const NAME: usize = 64;

/// The layout of 64-bit programs, the only one that CUDA has.
type Header = FileHeader64<Endianness>;

/// None: the file is no ELF of 64 bits, and no loader of such programs takes it. `scratch` is memory
/// that many calls share.
pub fn read(path: &Path, length: u64, scratch: &mut Vec<u8>) -> Result<Option<Elf>> {
    let file = File::open(path)?;
    let mut head = [0; HEAD];
    let read = file.read_at(&mut head, 0)?;
    match head[..read] {
        [0x7f, b'E', b'L', b'F', class, ..] if class == ELFCLASS64.0 => {
            let pages = Pages { file: &file, head: &head[..read], length, position: 0 };
            parse(&file, &ReadCache::new(pages), scratch).map(Some)
        }
        _ => Ok(None),
    }
}

/// Bytes that are read in any case. Headers lie in them, and in small files the names as well.
const HEAD: usize = 8192;

/// A file as `object` reads it: by position, without a system call for each seek.
struct Pages<'a> {
    file: &'a File,
    head: &'a [u8],
    length: u64,
    position: u64,
}

impl ReadCacheOps for Pages<'_> {
    fn len(&mut self) -> Result<u64, ()> {
        Ok(self.length)
    }

    fn seek(&mut self, position: u64) -> Result<u64, ()> {
        self.position = position;
        Ok(position)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ()> {
        let start = usize::try_from(self.position).map_err(drop)?;
        let read = match self.head.get(start..start.saturating_add(buffer.len())) {
            Some(bytes) => {
                buffer.copy_from_slice(bytes);
                bytes.len()
            }
            None => self.file.read_at(buffer, self.position).map_err(drop)?,
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

fn parse(file: &File, data: &ReadCache<Pages>, scratch: &mut Vec<u8>) -> Result<Elf> {
    let header = Header::parse(data).ok().context("the ELF header is damaged")?;
    let endian = header.endian().ok().context("the ELF header is damaged")?;
    let segments = header.program_headers(endian, data).ok().context("the program headers are damaged")?;
    let mut elf = Elf { machine: header.e_machine(endian).0, ..Elf::default() };
    let Some(entries) = segments.iter().find_map(|segment| segment.dynamic(endian, data).ok().flatten())
    else {
        return Ok(elf);
    };
    let value = |tag| entries.iter().find(|entry| entry.tag(endian) == tag).map(|entry| entry.d_val(endian));
    let (Some(address), Some(size)) = (value(DT_STRTAB), value(DT_STRSZ)) else {
        return Ok(elf);
    };
    // The table's address is one of memory: the segment that it lies in tells its place in the file.
    let place = segments.iter().filter(|segment| segment.p_type(endian) == PT_LOAD).find_map(|segment| {
        let inside = address.checked_sub(segment.p_vaddr(endian))?;
        (inside < segment.p_filesz(endian)).then(|| segment.p_offset(endian).checked_add(inside))?
    });
    let place = place.context("the string table lies in no segment")?;
    if size > STRINGS {
        bail!("a string table of {size} bytes");
    }
    let end = place.checked_add(size).context("the string table has no end")?;
    let string = |offset: u64| -> Result<String> {
        let start = place
            .checked_add(offset)
            .filter(|_| offset < size)
            .context("a name lies outside the string table")?;
        let bytes = data.read_bytes_at_until(start..end, 0).ok().context("a name has no end")?;
        Ok(lossy(bytes))
    };
    for entry in entries {
        let offset = entry.d_val(endian);
        let paths = || -> Result<Vec<String>> {
            Ok(string(offset)?.split(':').filter(|path| !path.is_empty()).map(str::to_owned).collect())
        };
        match entry.tag(endian) {
            DT_NULL => break,
            DT_SONAME => elf.soname = Some(string(offset)?),
            DT_NEEDED => elf.needed.push(string(offset)?),
            DT_RPATH => elf.rpath = paths()?,
            DT_RUNPATH => elf.runpath = paths()?,
            DT_FLAGS_1 => elf.no_default_directories = offset & DF_1_NODEFLIB.0 != 0,
            _ => {}
        }
    }
    if imports_dlopen(header, endian, file, data, place..end, scratch) {
        elf.dlopen_names = read_only_names(header, endian, file, data, scratch);
    }
    Ok(elf)
}

/// Whether `dlopen` is among the undefined symbols. Objects that define it intercept it.
fn imports_dlopen(
    header: &Header,
    endian: Endianness,
    file: &File,
    data: &ReadCache<Pages>,
    strings: Range<u64>,
    scratch: &mut Vec<u8>,
) -> bool {
    // Few objects have the name at all, and finding it is cheaper than reading their symbols.
    let mut name = None;
    any_piece(file, strings.clone(), DLOPEN.len(), scratch, |at, piece| {
        name = memmem::find(piece, DLOPEN).map(|inside| at - strings.start + inside as u64 + 1);
        name.is_some()
    });
    let (Some(name), Ok(sections)) = (name, header.sections(endian, data)) else { return false };
    let Some(symbols) = sections.iter().find(|section| section.sh_type(endian) == SHT_DYNSYM) else {
        return false;
    };
    let Some((offset, length)) = symbols.file_range(endian) else { return false };
    let entry = size_of::<Sym64<Endianness>>();
    let mut imported = false;
    // Pieces are multiples of an entry, so that none is cut.
    any_piece(file, offset..offset.saturating_add(length), 0, scratch, |_, piece| {
        imported = piece.chunks_exact(entry).any(|symbol| {
            let number = |bytes: &[u8]| match endian {
                Endianness::Little => bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
                Endianness::Big => bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            };
            // st_name, then one byte each of st_info and st_other, then st_shndx: 0 is undefined.
            number(&symbol[..4]) == name && number(&symbol[6..8]) == 0
        });
        imported
    });
    imported
}

const DLOPEN: &[u8] = b"\0dlopen\0";

/// Strings in read-only data that are file names of listed libraries. The large code model keeps
/// them in `.lrodata`.
fn read_only_names(
    header: &Header,
    endian: Endianness,
    file: &File,
    data: &ReadCache<Pages>,
    scratch: &mut Vec<u8>,
) -> Vec<String> {
    let Ok(sections) = header.sections(endian, data) else { return Vec::new() };
    let finder = memmem::Finder::new(b".so");
    let mut names = Vec::new();
    for name in [b".rodata".as_slice(), b".lrodata"] {
        let section =
            sections.section_by_name(endian, name).and_then(|(_, section)| section.file_range(endian));
        let Some((offset, size)) = section else { continue };
        any_piece(file, offset..offset.saturating_add(size), NAME, scratch, |_, piece| {
            names.extend(finder.find_iter(piece).filter_map(|hit| name_around(piece, hit)));
            false
        });
    }
    names.sort();
    names.dedup();
    names
}

/// The string around `hit`, if all of it names a listed library, by file name or by path.
fn name_around(piece: &[u8], hit: usize) -> Option<String> {
    let text = |byte: &u8| (b' '..=b'~').contains(byte);
    let start = piece[..hit].iter().rposition(|byte| !text(byte)).map_or(0, |place| place + 1);
    let end =
        hit + piece[hit..].iter().position(|byte| !text(byte)).filter(|length| piece[hit + length] == 0)?;
    let text = std::str::from_utf8(piece.get(start..end).filter(|text| text.len() <= NAME)?).ok()?;
    let file = text.rfind('/').map_or(0, |slash| slash + 1);
    // A number that lies before a string can look like a few letters of it.
    let skipped = if file == 0 { text.find("lib").filter(|junk| *junk <= JUNK)? } else { 0 };
    super::catalogue::library_of(&text[file.max(skipped)..]).map(|_| text[skipped..].to_owned())
}

/// Letters that may stand before a name by chance.
const JUNK: usize = 3;

/// Whether `test` says so of a piece of the range; pieces overlap, so that nothing is cut in two.
fn any_piece(
    file: &File,
    range: Range<u64>,
    overlap: usize,
    scratch: &mut Vec<u8>,
    mut test: impl FnMut(u64, &[u8]) -> bool,
) -> bool {
    let mut at = range.start;
    while at < range.end {
        let wanted = PIECE.min(range.end - at) as usize;
        if scratch.len() < wanted {
            scratch.resize(wanted, 0);
        }
        // A range that goes beyond the file is searched as far as the file goes.
        let Ok(read @ 1..) = file.read_at(&mut scratch[..wanted], at) else { return false };
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

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_strings() {
        let name = |text: &[u8]| memmem::find(text, b".so").and_then(|hit| name_around(text, hit));
        assert_eq!(name(b"\0libcuda.so.1\0"), Some("libcuda.so.1".into()));
        assert_eq!(name(b"\xf0?libcuda.so.1\0"), Some("libcuda.so.1".into()));
        assert_eq!(name(b"\0/usr/lib64/libcuda.so.1\0"), Some("/usr/lib64/libcuda.so.1".into()));
        for other in [
            b"\0see libcuda.so.1\0".as_slice(),
            b"\0libcuda.so.1 is\0",
            b"\0libcuda.so.%d\0",
            b"\0libx.so\0",
            b".so",
        ] {
            assert_eq!(name(other), None, "{other:?}");
        }
    }

    #[test]
    fn files_that_are_no_programs() {
        let directory = tempfile::tempdir().unwrap();
        let read = |bytes: &[u8]| {
            let path = directory.path().join("file");
            std::fs::write(&path, bytes).unwrap();
            read(&path, bytes.len() as u64, &mut Vec::new())
        };
        assert!(matches!(read(b""), Ok(None)));
        assert!(matches!(read(b"#!/bin/sh\n"), Ok(None)));
        assert!(read(b"\x7fELF\x02\x01\x01").is_err(), "a header that is cut off is an error");
    }

    /// Whatever a file claims, reading it ends with an answer or an error.
    #[test]
    fn damaged_programs_are_errors_and_never_fatal() {
        let whole = std::fs::read(concat!(env!("OUT_DIR"), "/probe")).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("damaged");
        let mut seed = 1u64;
        for _ in 0..300 {
            let mut bytes = whole[..200_000].to_vec();
            for _ in 0..8 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                // The headers and what the first segments hold: there a wrong number leads astray.
                bytes[(seed >> 33) as usize % 4096] = (seed >> 24) as u8;
            }
            std::fs::write(&path, &bytes).unwrap();
            let _ = read(&path, bytes.len() as u64, &mut Vec::new());
        }
    }
}
