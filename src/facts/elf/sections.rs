//! What lies in an object's sections: names that it may pass to dlopen, device code, and the
//! directories that glibc's loader was built to search. The loader needs none of this.

use std::ops::Range;

use memchr::memmem;
use object::Endianness;
use object::elf::*;
use object::read::ReadCache;
use object::read::elf::{FileHeader, SectionHeader, SectionTable};

use super::{Header, Object, Pages};
use crate::facts::bytes::any_piece;
use crate::facts::fatbin::{self, DeviceCode};

pub type Sections<'a> = SectionTable<'a, Header, &'a ReadCache<Pages<'a>>>;

const DLOPEN: &[u8] = b"\0dlopen\0";

/// The list of default directories is a few names long.
const LONGEST_LIST: usize = 1024;

impl<'a> Object<'a> {
    pub fn sections(&self) -> Option<Sections<'a>> {
        self.header.sections(self.endian, self.data).ok()
    }

    fn range(&self, sections: &Sections<'a>, name: &[u8]) -> Option<Range<u64>> {
        let (_, section) = sections.section_by_name(self.endian, name)?;
        let (offset, size) = section.file_range(self.endian)?;
        Some(offset..offset.saturating_add(size))
    }

    /// The offset of `dlopen` among the names. Few objects have it at all, and finding it is cheaper
    /// than reading their symbols.
    pub(super) fn has_dlopen(&self, strings: &Range<u64>, scratch: &mut Vec<u8>) -> Option<u64> {
        let mut name = None;
        any_piece(self.bytes, strings.clone(), DLOPEN.len(), scratch, |at, piece| {
            name = memmem::find(piece, DLOPEN).map(|inside| at - strings.start + inside as u64 + 1);
            name.is_some()
        });
        name
    }

    /// Whether `dlopen`, whose name lies at this offset of the string table, is among the undefined
    /// symbols. Objects that define it intercept it.
    pub(super) fn imports_dlopen(&self, sections: &Sections<'a>, name: u64, scratch: &mut Vec<u8>) -> bool {
        let endian = self.endian;
        let Some(symbols) = sections.iter().find(|section| section.sh_type(endian) == SHT_DYNSYM) else {
            return false;
        };
        let Some((offset, length)) = symbols.file_range(endian) else { return false };
        let entry = size_of::<Sym64<Endianness>>();
        let mut imported = false;
        // Pieces are multiples of an entry, so that none is cut.
        any_piece(self.bytes, offset..offset.saturating_add(length), 0, scratch, |_, piece| {
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

    /// Strings in read-only data that are file names of listed libraries. The large code model keeps
    /// them in `.lrodata`.
    pub(super) fn read_only_names(&self, sections: &Sections<'a>, scratch: &mut Vec<u8>) -> Vec<String> {
        let ranges =
            [b".rodata".as_slice(), b".lrodata"].into_iter().filter_map(|name| self.range(sections, name));
        let mut names: Vec<String> = ranges.flat_map(|range| self.bytes.names(range, scratch)).collect();
        names.sort();
        names.dedup();
        names
    }

    pub(super) fn device_code(&self, sections: &Sections<'a>, scratch: &mut Vec<u8>) -> Vec<DeviceCode> {
        let ranges: Vec<Range<u64>> =
            fatbin::SECTIONS.iter().filter_map(|name| self.range(sections, name)).collect();
        if ranges.is_empty() { Vec::new() } else { self.bytes.device_code(&ranges, scratch) }
    }

    /// `/lib/x86_64-linux-gnu/` and its successors, as they stand one behind the other in the loader.
    pub(super) fn system_directories(&self, sections: &Sections<'a>, scratch: &mut Vec<u8>) -> Vec<String> {
        let Some(range) = self.range(sections, b".rodata") else { return Vec::new() };
        let mut list = Vec::new();
        any_piece(self.bytes, range, LONGEST_LIST, scratch, |_, piece| {
            for hit in memmem::find_iter(piece, b"\0/lib") {
                let end = piece.len().min(hit + LONGEST_LIST);
                let names = piece[hit + 1..end].split(|byte| *byte == 0);
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
