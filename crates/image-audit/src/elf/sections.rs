//! Reads the sections of an object, which the loader ignores: names that it may pass to dlopen, device code,
//! and the default directories of glibc's loader.

use std::ops::Range;

use memchr::memmem;
use object::Endianness;
use object::elf::*;
use object::read::ReadCache;
use object::read::elf::{FileHeader, SectionHeader, SectionTable};

use super::headers::{Header, MOST_HEADERS, Object};
use super::pages::Pages;
use crate::bytes::any_piece;
use crate::fatbin::{DeviceCode, scanner};
use crate::strings::Found;

pub type Sections<'a> = SectionTable<'a, Header, &'a ReadCache<Pages<'a>>>;

/// Limit of matching names in one piece of the string table.
const MOST_NAMES: usize = 64;

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
        let mut names = Vec::new();
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

    /// Names of CUDA libraries in read-only data, and mentions of their stems. The large code model keeps
    /// strings in `.lrodata`.
    pub fn read_only_names(
        &self,
        sections: &Sections<'a>,
        scratch: &mut Vec<u8>,
    ) -> (Vec<String>, Vec<String>) {
        let (mut names, mut mentions) = (Vec::new(), Vec::new());
        for range in
            [b".rodata".as_slice(), b".lrodata"].into_iter().filter_map(|name| self.range(sections, name))
        {
            for found in self.bytes.names(range, scratch) {
                match found {
                    Found::Name(name) => names.push(name),
                    Found::Mention(stem) => mentions.push(stem),
                }
            }
        }
        for list in [&mut names, &mut mentions] {
            list.sort();
            list.dedup();
        }
        (names, mentions)
    }

    pub fn device_code(&self, sections: &Sections<'a>, scratch: &mut Vec<u8>) -> Vec<DeviceCode> {
        let ranges: Vec<Range<u64>> =
            scanner::SECTIONS.iter().filter_map(|name| self.range(sections, name)).collect();
        if ranges.is_empty() { Vec::new() } else { self.bytes.device_code(&ranges, scratch) }
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
