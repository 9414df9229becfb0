//! Reads the sections of an object, which the loader ignores: names that it may pass to dlopen, device code,
//! and the default directories of glibc's loader.

use std::collections::HashSet;
use std::ops::Range;

use memchr::memmem;
use object::Endianness;
use object::elf::*;
use object::read::ReadCache;
use object::read::elf::{FileHeader, SectionHeader, SectionTable};

use super::headers::{Header, MOST_HEADERS, Object};
use super::pages::Pages;
use super::types::Elf;
use crate::bytes::{Findings, Searched, any_piece};
use crate::strings::Found;

pub type Sections<'a> = SectionTable<'a, Header, &'a ReadCache<Pages<'a>>>;

/// Limit of matching names in one piece of the string table.
const MOST_NAMES: usize = 64;

/// Tables of the compiler and the loader.
const WITHOUT_CODE: [&[u8]; 6] =
    [b".eh_frame", b".gcc_except_table", b".interp", b".data.rel.ro", b".got", b".tm_clone_table"];

/// The list of default directories is short.
const LONGEST_LIST: usize = 1024;

impl<'a> Object<'a> {
    pub fn sections(&self) -> Option<Sections<'a>> {
        self.header.shnum(self.endian, self.data).ok().filter(|count| *count <= MOST_HEADERS)?;
        self.header.sections(self.endian, self.data).ok()
    }

    pub fn range(&self, sections: &Sections<'a>, name: &[u8]) -> Option<Range<u64>> {
        let (_, section) = sections.section_by_name(self.endian, name)?;
        let (offset, size) = section.file_range(self.endian)?;
        Some(offset..offset.saturating_add(size))
    }

    /// Whether dlopen or dlmopen is an undefined symbol. Objects that define them intercept them.
    pub fn imports_dlopen(
        &self,
        sections: &Sections<'a>,
        strings: &Range<u64>,
        scratch: &mut Vec<u8>,
    ) -> bool {
        // Few objects have the names at all, and searching them is cheaper than reading symbols. A name may
        // be the end of a longer one.
        let functions = [b"dlopen\0".as_slice(), b"dlmopen\0"];
        let mut names = HashSet::new();
        any_piece(self.bytes, strings.clone(), functions[1].len(), scratch, |at, piece| {
            for function in functions {
                let found = memmem::find_iter(piece, function);
                names.extend(found.map(|inside| at - strings.start + inside as u64).take(MOST_NAMES));
            }
            false
        });
        let endian = self.endian;
        let symbols = sections.iter().find(|section| section.sh_type(endian) == SHT_DYNSYM);
        let Some((offset, length)) = symbols.and_then(|symbols| symbols.file_range(endian)) else {
            return false;
        };
        let entry = size_of::<Sym64<Endianness>>();
        let imported = |symbol: &[u8]| {
            let number = |bytes: &[u8]| match endian {
                Endianness::Little => bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
                Endianness::Big => bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            };
            // st_name, one byte each of st_info and st_other, then st_shndx: 0 means undefined.
            number(&symbol[6..8]) == 0 && names.contains(&number(&symbol[..4]))
        };
        // Pieces are multiples of an entry, so none is cut.
        !names.is_empty()
            && any_piece(self.bytes, offset..offset.saturating_add(length), 0, scratch, |_, piece| {
                piece.chunks_exact(entry).any(imported)
            })
    }

    /// Device code in all loaded data, and names of CUDA libraries in read-only data with mentions of their stems. The
    /// large code model keeps strings in `.lrodata`.
    pub fn search(&self, sections: &Sections<'a>, elf: &mut Elf, scratch: &mut Vec<u8>) {
        let Findings { names, device_code } = self.bytes.search(&self.data(sections), scratch);
        for found in names {
            match found {
                Found::Name(name) => elf.names.push(name),
                Found::Mention(stem) => elf.mentions.push(stem),
            }
        }
        for list in [&mut elf.names, &mut elf.mentions] {
            list.sort();
            list.dedup();
        }
        elf.device_code = device_code;
    }

    /// The sections of loaded data, as ranges that do not overlap. Libraries keep device code in `.nv_fatbin`, but also in
    /// `.rodata`, `.data` and, with the large code model, `.ldata`.
    fn data(&self, sections: &Sections<'a>) -> Vec<Searched> {
        let endian = self.endian;
        let searched = |section: &SectionHeader64<Endianness>| {
            let (kind, flags) = (section.sh_type(endian), section.sh_flags(endian));
            let name = sections.section_name(endian, section).ok()?;
            let is_data = flags.contains(SHF_ALLOC) && !flags.contains(SHF_EXECINSTR);
            if kind != SHT_PROGBITS || !is_data || WITHOUT_CODE.iter().any(|prefix| name.starts_with(prefix))
            {
                return None;
            }
            let (offset, size) = section.file_range(endian)?;
            let names = name.starts_with(b".rodata") || name.starts_with(b".lrodata");
            Some(Searched { range: offset..offset.saturating_add(size), names })
        };
        let mut sorted: Vec<Searched> = sections.iter().filter_map(searched).collect();
        sorted.sort_by_key(|searched| searched.range.start);
        let mut ranges: Vec<Searched> = Vec::new();
        for Searched { range, names } in sorted {
            match ranges.last_mut() {
                // No builder makes sections that overlap. No name is lost in them.
                Some(last) if range.start < last.range.end => {
                    last.range.end = last.range.end.max(range.end);
                    last.names |= names;
                }
                _ => ranges.push(Searched { range, names }),
            }
        }
        ranges
    }

    /// The default directories, such as `/lib/x86_64-linux-gnu/`, which the loader stores as consecutive
    /// strings.
    pub fn system_directories(&self, sections: &Sections<'a>, scratch: &mut Vec<u8>) -> Vec<String> {
        let Some(range) = self.range(sections, b".rodata") else { return Vec::new() };
        let mut list = Vec::new();
        let start = range.start;
        any_piece(self.bytes, range, LONGEST_LIST, scratch, |at, piece| {
            // On arm64 the list is the first thing in the section, and nothing precedes it.
            let first = (at == start && piece.starts_with(b"/lib")).then_some(0);
            let others = memmem::find_iter(piece, b"\0/lib").map(|hit| hit + 1);
            for hit in first.into_iter().chain(others) {
                let end = piece.len().min(hit + LONGEST_LIST);
                let names = piece[hit..end].split(|byte| *byte == 0);
                let directory = |name: &[u8]| {
                    let text = std::str::from_utf8(name).ok()?;
                    (text.len() > 1 && text.starts_with('/'))
                        .then(|| text.strip_suffix('/').map(str::to_owned))?
                };
                list = names.map_while(directory).collect();
                if !list.is_empty() {
                    return true;
                }
            }
            false
        });
        list
    }
}
