//! One ELF file: what the loader sees (names, dependencies, search paths, symbol versions), and its device
//! code.
//!
//! Bounded pieces are read, never the whole file. Offsets and sizes in the file are not trusted.
//! `dynamic.rs` reads what the loader sees, `sections.rs` what it ignores.

mod dynamic;
mod forward;
mod headers;
mod pages;
mod sections;
mod types;

use anyhow::Result;
use object::elf::*;
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader};

use crate::bytes::Bytes;
pub use headers::Rejected;
use headers::{Object, lossy};
use pages::{HEAD, Pages};

pub use types::{Elf, Forward, VersionsNeeded};

/// How much of a file to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// What the loader sees.
    Headers,
    /// Names for dlopen and device code as well.
    #[default]
    Data,
    /// And pieces of names in code, which can otherwise be read later by [`pieces`].
    Code,
}

/// Reads a file. None if it is not a 64-bit ELF file. `scratch` is a buffer that calls share.
pub fn read(bytes: &dyn Bytes, depth: Depth, scratch: &mut Vec<u8>) -> Result<Option<Elf>> {
    opened(bytes, |object| inspect(object, depth, scratch))
}

/// Pieces of names of CUDA libraries in the code of an object that imports dlopen.
pub fn pieces(bytes: &dyn Bytes, scratch: &mut Vec<u8>) -> Result<Vec<String>> {
    let found = opened(bytes, |object| {
        let Some(sections) = object.sections() else { return Ok(Vec::new()) };
        let strings =
            object.dynamic_entries().and_then(|entries| object.dynamic(entries, &mut Elf::default()).ok()?);
        let imports_dlopen =
            strings.is_some_and(|strings| object.imports_dlopen(&sections, &strings, scratch));
        Ok(if imports_dlopen { object.bytes.pieces(&object.code(), scratch) } else { Vec::new() })
    });
    Ok(found?.unwrap_or_default())
}

fn opened<T>(bytes: &dyn Bytes, then: impl FnOnce(&Object) -> Result<T>) -> Result<Option<T>> {
    let mut head = vec![0; HEAD];
    let read = bytes.read_at(&mut head, 0)?;
    head.truncate(read);
    if !is_elf(&head) {
        return Ok(None);
    }
    let data = ReadCache::new(Pages::new(bytes, &head));
    let object = Object::parse(bytes, &data)?;
    then(&object).map(Some)
}

/// Whether a file begins like a 64-bit ELF file.
pub fn is_elf(head: &[u8]) -> bool {
    matches!(head, [0x7f, b'E', b'L', b'F', class, ..] if *class == ELFCLASS64.0)
}

fn inspect(object: &Object, depth: Depth, scratch: &mut Vec<u8>) -> Result<Elf> {
    let mut elf = Elf { machine: object.header.e_machine(object.endian).0, ..Elf::default() };
    let (endian, data) = (object.endian, object.data);
    let interpreter =
        object.segment(PT_INTERP).and_then(|segment| segment.interpreter(endian, data).ok().flatten());
    elf.interpreter = interpreter.map(lossy);
    elf.executable_stack = object.executable_stack();
    let strings = match object.dynamic_entries() {
        Some(entries) => object.dynamic(entries, &mut elf)?,
        None => None,
    };
    let is_loader = elf.soname.as_deref().is_some_and(|soname| soname.starts_with("ld-linux"));
    let is_driver = elf.soname.as_deref().is_some_and(|soname| soname.starts_with("libcuda.so"));
    let full = depth >= Depth::Data;
    if !is_loader && !is_driver && !full {
        return Ok(elf);
    }
    let Some(sections) = object.sections() else { return Ok(elf) };
    if is_loader {
        elf.system_directories = object.system_directories(&sections, scratch);
    }
    if is_driver {
        elf.forward = object.forward(&sections);
    }
    if full {
        object.search(&sections, &mut elf, scratch);
        // Nothing else depends on dlopen.
        let matters = !elf.names.is_empty() || !elf.mentions.is_empty() || elf.has_search_path();
        if let Some(strings) = strings.filter(|_| matters || depth == Depth::Code) {
            elf.imports_dlopen = object.imports_dlopen(&sections, &strings, scratch);
        }
        if depth == Depth::Code && elf.imports_dlopen {
            elf.pieces = object.bytes.pieces(&object.code(), scratch);
        }
    }
    Ok(elf)
}

#[cfg(test)]
mod tests;
