//! What the loader sees of one ELF file: its names, its needs, its search paths.
//!
//! Bounded pieces are read, never the whole file. Offsets and sizes come from the file and are
//! believed only as far as reading them succeeds. Which of several libraries a need means is no
//! concern of this module.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use memchr::memmem;
use object::elf::*;
use object::read::ReadCache;
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader};
use object::{Endianness, ReadRef};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elf {
    pub machine: u16,
    pub is_64: bool,
    pub interpreter: Option<String>,
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
const PIECE: u64 = 4 << 20;
/// No soname is longer; pieces overlap by so much.
const NAME: usize = 64;

/// None: the file is no ELF.
pub fn read(path: &Path) -> Result<Option<Elf>> {
    let mut file = File::open(path)?;
    let mut ident = [0; 5];
    match file.read_exact(&mut ident) {
        Ok(()) if ident[..4] == ELFMAG => {}
        _ => return Ok(None),
    }
    let cache = ReadCache::new(&file);
    match FileClass(ident[4]) {
        ELFCLASS64 => parse::<FileHeader64<Endianness>>(&file, &cache).map(Some),
        ELFCLASS32 => parse::<FileHeader32<Endianness>>(&file, &cache).map(Some),
        FileClass(class) => bail!("an ELF file of unknown class {class}"),
    }
}

fn parse<H: FileHeader<Endian = Endianness>>(file: &File, data: &ReadCache<&File>) -> Result<Elf> {
    let header = H::parse(data).ok().context("the ELF header is damaged")?;
    let endian = header.endian().ok().context("the ELF header is damaged")?;
    let segments = header.program_headers(endian, data).ok().context("the program headers are damaged")?;
    let mut elf = Elf {
        machine: header.e_machine(endian).0,
        is_64: header.is_type_64(),
        interpreter: segments.iter().find_map(|s| s.interpreter(endian, data).ok().flatten()).map(lossy),
        ..Elf::default()
    };
    let Some(entries) = segments.iter().find_map(|segment| segment.dynamic(endian, data).ok().flatten()) else {
        return Ok(elf);
    };
    let value = |tag| entries.iter().find(|entry| entry.tag(endian) == tag).map(|entry| entry.d_val(endian).into());
    let (Some(address), Some(size)) = (value(DT_STRTAB), value(DT_STRSZ)) else {
        return Ok(elf);
    };
    // The table's address is one of memory: the segment that it lies in tells its place in the file.
    let place = segments.iter().find_map(|segment| {
        let (start, length): (u64, u64) = (segment.p_vaddr(endian).into(), segment.p_filesz(endian).into());
        let inside = address.checked_sub(start).filter(|inside| *inside < length)?;
        (segment.p_type(endian) == PT_LOAD).then(|| segment.p_offset(endian).into() + inside)
    });
    let place = place.context("the string table lies in no segment")?;
    if size > STRINGS {
        bail!("a string table of {size} bytes");
    }
    let string = |offset: u64| -> Result<String> {
        let start = offset.checked_add(place).filter(|_| offset < size).context("a name lies outside the string table")?;
        let bytes = data.read_bytes_at_until(start..place + size, 0).ok().context("a name has no end")?;
        Ok(lossy(bytes))
    };
    for entry in entries {
        let offset: u64 = entry.d_val(endian).into();
        let paths = || -> Result<Vec<String>> {
            Ok(string(offset)?.split(':').filter(|path| !path.is_empty()).map(str::to_owned).collect())
        };
        match entry.tag(endian) {
            DT_NULL => break,
            DT_SONAME => elf.soname = Some(string(offset)?),
            DT_NEEDED => elf.needed.push(string(offset)?),
            DT_RPATH => elf.rpath = paths()?,
            DT_RUNPATH => elf.runpath = paths()?,
            DT_FLAGS_1 => elf.no_default_directories = offset & u64::from(DF_1_NODEFLIB.0) != 0,
            _ => {}
        }
    }
    if imports_dlopen(file, place, size) {
        elf.dlopen_names = read_only_names::<H>(header, endian, file, data);
    }
    Ok(elf)
}

/// Dynamic names are those of imports and exports; who exports dlopen is the C library itself.
fn imports_dlopen(file: &File, place: u64, size: u64) -> bool {
    any_piece(file, place, size, b"\0dlopen\0".len(), |piece| memmem::find(piece, b"\0dlopen\0").is_some())
}

/// Strings in `.rodata` that are file names of listed libraries.
fn read_only_names<H: FileHeader<Endian = Endianness>>(
    header: &H,
    endian: Endianness,
    file: &File,
    data: &ReadCache<&File>,
) -> Vec<String> {
    let Ok(sections) = header.sections(endian, data) else { return Vec::new() };
    let Some((_, section)) = sections.section_by_name(endian, b".rodata") else { return Vec::new() };
    let Some((offset, size)) = section.file_range(endian) else { return Vec::new() };
    let finder = memmem::Finder::new(b".so");
    let mut names = Vec::new();
    any_piece(file, offset, size, NAME, |piece| {
        for hit in finder.find_iter(piece) {
            let name = string_around(piece, hit);
            if super::catalogue::library_of(name).is_some() && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        false
    });
    names.sort();
    names
}

/// The last part of the path that lies around `hit`, as far as it is plain text.
fn string_around(piece: &[u8], hit: usize) -> &str {
    let plain = |byte: &u8| byte.is_ascii_graphic() && *byte != b'/';
    let start = piece[..hit].iter().rposition(|byte| !plain(byte)).map_or(0, |place| place + 1);
    let end = piece[hit..].iter().position(|byte| !plain(byte)).map_or(piece.len(), |place| hit + place);
    if end - start > NAME {
        return "";
    }
    std::str::from_utf8(&piece[start..end]).unwrap_or_default()
}

/// Whether `test` says so of a piece of the range; pieces overlap, so that nothing is cut in two.
fn any_piece(file: &File, start: u64, size: u64, overlap: usize, mut test: impl FnMut(&[u8]) -> bool) -> bool {
    let mut buffer = vec![0; size.min(PIECE) as usize];
    let end = start.saturating_add(size);
    let mut at = start;
    while at < end {
        let wanted = buffer.len().min((end - at) as usize);
        // A range that goes beyond the file is searched as far as the file goes.
        let Ok(read @ 1..) = file.read_at(&mut buffer[..wanted], at) else { return false };
        if test(&buffer[..read]) {
            return true;
        }
        if at + read as u64 >= end || read <= overlap {
            return false;
        }
        at += (read - overlap) as u64;
    }
    false
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
