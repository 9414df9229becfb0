//! Reads the dynamic section of an object: names, search paths and symbol versions.

use std::ops::Range;

use anyhow::{Context, Result, bail};
use object::elf::*;
use object::read::elf::Dyn;
use object::{Endianness, ReadRef};

use super::headers::Object;
use super::types::{Elf, VersionsNeeded};

/// Limit of the size of the string table.
const STRINGS: u64 = 256 << 20;
/// No object has more version entries.
const MOST_VERSIONS: u64 = 4096;

impl Object<'_> {
    /// Reads the dynamic section. Returns the range of the string table.
    pub fn dynamic(&self, entries: &[Dyn64<Endianness>], elf: &mut Elf) -> Result<Option<Range<u64>>> {
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
            let Ok(name) = self.string(strings, name.vda_name.get(self.endian).into()) else { break };
            list.push(name);
            match definition.vd_next.get(self.endian) {
                0 => break,
                next => at = at.saturating_add(next.into()),
            }
        }
        list
    }
}
