//! `/etc/ld.so.cache`: sonames and the files that ldconfig found for them, in both formats.
//!
//! A damaged cache counts as empty, as in the loader.

use std::collections::HashMap;

use memchr::memchr;

/// A parsed cache: files by soname.
#[derive(Debug, Default)]
pub struct Cache(HashMap<String, Vec<Entry>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    path: String,
    /// Directory of glibc-hwcaps, for better processors.
    hardware: Option<String>,
}

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
const EXTENSIONS: usize = 0xEAA4_2174;
/// Flags of glibc libraries for x86-64 and 64-bit Arm; a cache has those of one machine.
const KINDS: [u32; 2] = [0x303, 0xa03];
/// The hardware field is an index into the extension.
const NAMED: u64 = 1 << 62;
/// Tag of the extension with directories of glibc-hwcaps.
const HARDWARE: usize = 1;
/// The longest path of Linux.
const LONGEST: usize = 4096;
/// Limit of the total length of names, as a multiple of the size of the file. Entries can share names, but
/// rarely do in real files.
const EXPANSION: usize = 16;

impl Cache {
    /// The path for a soname on a processor with some levels, best first.
    pub fn find(&self, soname: &str, levels: &[&str]) -> Option<&str> {
        let entries = self.0.get(soname)?;
        let at = |level: Option<&str>| {
            entries.iter().find(|entry| entry.hardware.as_deref() == level).map(|entry| entry.path.as_str())
        };
        levels.iter().find_map(|level| at(Some(level))).or_else(|| at(None))
    }

    /// Parses a cache.
    pub fn parse(bytes: &[u8]) -> Cache {
        let mut cache = Cache::default();
        let Some(table) = table(bytes) else { return cache };
        let number = |at: usize| -> Option<usize> {
            Some(u32::from_le_bytes(table.get(at..at.checked_add(4)?)?.try_into().ok()?) as usize)
        };
        let string = |offset: usize| -> Option<String> {
            let text = table.get(offset..)?;
            let end = memchr(0, &text[..text.len().min(LONGEST)])?;
            Some(String::from_utf8_lossy(&text[..end]).into_owned())
        };
        // After the magic: count, length of strings, flags, offset of the extensions.
        let count = number(MAGIC.len()).unwrap_or(0);
        let hardware = number(MAGIC.len() + 12).and_then(|at| hardware(table, at)).unwrap_or_default();
        let mut room = bytes.len().saturating_mul(EXPANSION);
        for entry in table.get(48..).unwrap_or_default().chunks_exact(24).take(count) {
            let word = |at: usize| u32::from_le_bytes(entry[at..at + 4].try_into().expect("four bytes"));
            let bits = u64::from_le_bytes(entry[16..24].try_into().expect("eight bytes"));
            let named = match bits {
                0 => None,
                bits if bits & NAMED != 0 => {
                    let name = hardware.get(bits as u32 as usize).and_then(|offset| string(*offset));
                    if name.is_none() {
                        continue;
                    }
                    name
                }
                // hwcaps of glibc before 2.33.
                _ => continue,
            };
            if !KINDS.contains(&word(0)) {
                continue;
            }
            if let (Some(soname), Some(path)) = (string(word(4) as usize), string(word(8) as usize)) {
                let length = soname.len() + path.len() + named.as_ref().map_or(0, String::len);
                let Some(left) = room.checked_sub(length) else { return Cache::default() };
                room = left;
                cache.0.entry(soname).or_default().push(Entry { path, hardware: named });
            }
        }
        cache
    }
}

/// The new table, which may follow an old one of 12-byte entries, at the next multiple of eight.
fn table(bytes: &[u8]) -> Option<&[u8]> {
    let mut start = 0;
    if bytes.starts_with(OLD_MAGIC) {
        let entries = u32::from_le_bytes(bytes.get(12..16)?.try_into().ok()?) as usize;
        start = entries.checked_mul(12)?.checked_add(16 + 7)? / 8 * 8;
    }
    bytes.get(start..).filter(|table| table.starts_with(MAGIC))
}

/// Offsets of the names of glibc-hwcaps directories, by index.
fn hardware(table: &[u8], at: usize) -> Option<Vec<usize>> {
    let number = |at: usize| -> Option<usize> {
        Some(u32::from_le_bytes(table.get(at..at.checked_add(4)?)?.try_into().ok()?) as usize)
    };
    if at == 0 || number(at)? != EXTENSIONS {
        return None;
    }
    let sections = number(at.checked_add(4)?)?;
    for section in table.get(at.checked_add(8)?..)?.chunks_exact(16).take(sections) {
        let word =
            |at: usize| u32::from_le_bytes(section[at..at + 4].try_into().expect("four bytes")) as usize;
        if word(0) == HARDWARE {
            let list = table.get(word(8)..)?.chunks_exact(4).take(word(12) / 4);
            return Some(
                list.map(|name| u32::from_le_bytes(name.try_into().expect("four bytes")) as usize).collect(),
            );
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: &[(&str, &str, u64)]) -> Vec<u8> {
        let mut strings = Vec::new();
        let mut table = Vec::new();
        let base = 48 + 24 * entries.len();
        for (soname, path, hardware) in entries {
            let mut put = |text: &str| {
                let at = (base + strings.len()) as u32;
                strings.extend(text.as_bytes());
                strings.push(0);
                at
            };
            let (key, value) = (put(soname), put(path));
            table.extend(KINDS[0].to_le_bytes());
            table.extend(key.to_le_bytes());
            table.extend(value.to_le_bytes());
            table.extend(0u32.to_le_bytes());
            table.extend(hardware.to_le_bytes());
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend((entries.len() as u32).to_le_bytes());
        bytes.extend((strings.len() as u32).to_le_bytes());
        bytes.extend([2, 0, 0, 0]);
        bytes.extend([0; 16]);
        bytes.extend(table);
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn both_formats() {
        let mut new = cache(&[("libx.so.1", "/v3/libx.so.1", NAMED), ("libx.so.1", "/lib/libx.so.1", 0)]);
        // The extension: one section with one name.
        let (at, name) = (new.len(), new.len() + 8 + 16 + 4);
        new[MAGIC.len() + 12..MAGIC.len() + 16].copy_from_slice(&(at as u32).to_le_bytes());
        for word in [EXTENSIONS, 1, HARDWARE, 0, at + 8 + 16, 4, name] {
            new.extend((word as u32).to_le_bytes());
        }
        new.extend(b"x86-64-v3\0");
        let mut old = OLD_MAGIC.to_vec();
        old.push(0);
        old.extend(1u32.to_le_bytes());
        old.extend([0; 12 + 4]);
        old.extend(&new);
        for bytes in [new, old] {
            let cache = Cache::parse(&bytes);
            assert_eq!(cache.find("libx.so.1", &[]), Some("/lib/libx.so.1"));
            assert_eq!(cache.find("libx.so.1", &["x86-64-v3", "x86-64-v2"]), Some("/v3/libx.so.1"));
            assert_eq!(cache.find("libx.so.1", &["x86-64-v2"]), Some("/lib/libx.so.1"));
            assert_eq!(cache.find("liby.so.1", &[]), None);
        }
    }

    #[test]
    fn expansion_of_long_names_is_bounded() {
        let long = "n".repeat(4000);
        let mut bytes = cache(&vec![("", "", 0); 1000]);
        let name = bytes.len() as u32;
        for entry in bytes[48..48 + 24 * 1000].chunks_exact_mut(24) {
            entry[8..12].copy_from_slice(&name.to_le_bytes());
        }
        bytes.extend(long.as_bytes());
        bytes.push(0);
        assert_eq!(Cache::parse(&bytes).find("", &[]), None);
        bytes.resize(1000 * 4000 / 16, 0);
        assert_eq!(Cache::parse(&bytes).find("", &[]), Some(long.as_str()));
    }

    #[test]
    fn a_damaged_entry_is_ignored() {
        let whole = cache(&[("liby.so", "/lib/liby.so", 0)]);
        let found = |bytes: &[u8]| Cache::parse(bytes).find("liby.so", &[]).map(str::to_owned);
        for end in 0..whole.len() {
            assert_eq!(found(&whole[..end]), None, "cut at {end}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0xFF;
            let found = found(&damaged);
            match at {
                // Sizes that the file limits anyway, unused fields, and the OS version of the entry.
                20..48 | 60..64 => assert_eq!(found.as_deref(), Some("/lib/liby.so"), "changed at {at}"),
                80..92 => assert!(found.is_some_and(|path| path.contains('\u{fffd}')), "changed at {at}"),
                _ => assert_eq!(found, None, "changed at {at}"),
            }
        }
    }
}
