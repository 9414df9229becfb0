//! Programs that are valid, damaged or hostile.

use super::headers::{COST, ROOM};
use super::*;
use crate::bytes::{Kept, Part};
use std::fs::File;
use std::path::Path;

const ALL: Depth = Depth::Code;

fn read_file(path: &Path) -> Result<Option<Elf>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    read(&Part { file: &file, offset: 0, length }, ALL, &mut Vec::new())
}

#[test]
fn what_the_loader_sees_of_this_program() {
    let elf = read_file(&std::env::current_exe().unwrap()).unwrap().unwrap();
    assert!(elf.dynamic && elf.interpreter.as_deref().is_some_and(|loader| loader.contains("ld-linux")));
    assert!(elf.needed.iter().any(|name| name == "libc.so.6"), "{:?}", elf.needed);
    let libc = elf.versions_needed.iter().find(|need| need.soname == "libc.so.6").unwrap();
    assert!(libc.versions.iter().all(|version| version.starts_with("GLIBC_")), "{libc:?}");
}

#[test]
fn other_files() {
    let directory = tempfile::tempdir().unwrap();
    let read = |bytes: &[u8]| {
        let path = directory.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        read_file(&path)
    };
    assert!(matches!(read(b""), Ok(None)));
    assert!(matches!(read(b"#!/bin/sh\n"), Ok(None)));
    assert!(read(b"\x7fELF\x02\x01\x01").is_err(), "a truncated header is an error");
}

/// A program with segments, and the bytes that follow them.
fn program(segments: &[(ProgramType, u64, u64)], rest: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(64, 0);
    bytes[16] = 3;
    bytes[18] = 62;
    bytes[32] = 64;
    bytes[54] = 56;
    bytes[56..58].copy_from_slice(&(segments.len() as u16).to_le_bytes());
    for (kind, offset, size) in segments {
        bytes.extend(kind.0.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend([*offset, *offset, *offset, *size, *size, 1].map(u64::to_le_bytes).concat());
    }
    bytes.extend(rest);
    bytes
}

#[test]
fn the_stack_is_executable_if_a_flag_or_the_abi_says_so() {
    let with = |machine: u8, flags: Option<u8>| {
        let segments: &[_] = if flags.is_some() { &[(PT_GNU_STACK, 0, 0)] } else { &[] };
        let mut bytes = program(segments, &[]);
        bytes[18] = machine;
        if let Some(flags) = flags {
            bytes[64 + 4] = flags;
        }
        read_bytes(&bytes).unwrap().unwrap().executable_stack
    };
    assert!(with(62, Some(7)));
    assert!(!with(62, Some(6)));
    assert!(with(62, None), "the default of x86-64");
    assert!(!with(183, None), "the default of aarch64");
}

fn dynamic(entries: &[(DynamicTag, u64)]) -> Vec<u8> {
    entries.iter().flat_map(|(tag, value)| [tag.0 as u64, *value]).flat_map(u64::to_le_bytes).collect()
}

fn read_bytes(bytes: &[u8]) -> Result<Option<Elf>> {
    let kept = Kept::read(&mut &bytes[..], bytes.len() as u64, |_| true)?.unwrap();
    read(&kept, ALL, &mut Vec::new())
}

#[test]
fn search_paths_of_any_length_are_read() {
    let start = 64 + 2 * 56;
    let entries =
        [(DT_STRTAB, start + 16 * 5), (DT_STRSZ, 30_000), (DT_RUNPATH, 1), (DT_NEEDED, 29_000), (DT_NULL, 0)];
    let directories: Vec<String> =
        (0..300).map(|number| format!("$ORIGIN/../../nvidia/part{number:03}/lib")).collect();
    let mut strings = format!("\0{}\0", directories.join(":")).into_bytes();
    assert!(strings.len() > 8192);
    strings.resize(29_000, 0);
    strings.extend(b"libcudart.so.12\0");
    strings.resize(30_000, 0);
    let rest = [dynamic(&entries), strings].concat();
    let segments = [(PT_LOAD, 0, start + rest.len() as u64), (PT_DYNAMIC, start, 16 * 5)];
    let elf = read_bytes(&program(&segments, &rest)).unwrap().unwrap();
    assert_eq!(elf.runpath, directories);
    assert_eq!(elf.needed, ["libcudart.so.12"]);
}

/// A program with data and with sections of loaded data, each with its offset and size.
fn with_sections(data: &[u8], sections: &[(&str, u64, u64)]) -> Vec<u8> {
    let mut names = b"\0.shstrtab\0".to_vec();
    let header = |name: u32, kind: u32, flags: u64, offset: u64, size: u64| {
        let words = [name, kind].map(u32::to_le_bytes).concat();
        [words, [flags, 0, offset, size, 0, 1, 0].map(u64::to_le_bytes).concat()].concat()
    };
    let mut headers = vec![header(0, 0, 0, 0, 0)];
    for (name, offset, size) in sections {
        headers.push(header(names.len() as u32, SHT_PROGBITS.0, 2, *offset, *size));
        names.extend(name.as_bytes());
        names.push(0);
    }
    let mut bytes = program(&[], data);
    headers.push(header(1, SHT_STRTAB.0, 0, bytes.len() as u64, names.len() as u64));
    bytes.extend(names);
    let table = bytes.len() as u64;
    bytes[40..48].copy_from_slice(&table.to_le_bytes());
    bytes[58..60].copy_from_slice(&64u16.to_le_bytes());
    bytes[60..62].copy_from_slice(&(headers.len() as u16).to_le_bytes());
    bytes[62..64].copy_from_slice(&(headers.len() as u16 - 1).to_le_bytes());
    bytes.extend(headers.concat());
    bytes
}

#[test]
fn sections_that_overlap_or_end_anywhere_hide_no_name() {
    let data = [&[0; 100][..], b"\0libcublas.so.12\0", &[0; 100]].concat();
    let (start, size) = (64, data.len() as u64);
    for sections in [
        &[(".rodata", start, size)][..],
        &[(".data", start, size), (".rodata", start + 90, 60)],
        &[(".data", start - 8, u64::MAX / 2), (".rodata", start, size)],
        &[(".rodata", start, u64::MAX), (".data", u64::MAX - 100, 50)],
    ] {
        let elf = read_bytes(&with_sections(&data, sections)).unwrap().unwrap();
        assert_eq!(elf.names, ["libcublas.so.12"], "{sections:?}");
    }
    let elf = read_bytes(&with_sections(&data, &[(".data", start, size)])).unwrap().unwrap();
    assert!(elf.names.is_empty(), "names are looked for in read-only data");
}

#[test]
fn overlapping_names_are_bounded() {
    let start = 64 + 2 * 56;
    let needing = |count: usize| {
        let strings = start + 16 * (count as u64 + 3);
        let mut entries = vec![(DT_STRTAB, strings), (DT_STRSZ, 4000)];
        entries.extend((0..count as u64).map(|at| (DT_NEEDED, at)));
        entries.push((DT_NULL, 0));
        let rest = [dynamic(&entries), vec![b'n'; 3999], vec![0]].concat();
        let size = 16 * entries.len() as u64;
        let segments = [(PT_LOAD, 0, start + rest.len() as u64), (PT_DYNAMIC, start, size)];
        read_bytes(&program(&segments, &rest))
    };
    assert_eq!(needing(20).unwrap().unwrap().needed.len(), 20);
    let error = needing(1000).unwrap_err().to_string();
    assert_eq!(error, "too many names");
}

#[test]
fn overlapping_versions_are_bounded() {
    let (start, count) = (64 + 2 * 56, 1000);
    let entries =
        [(DT_STRTAB, 0), (DT_STRSZ, 64), (DT_VERNEED, start + 16 * 5), (DT_VERNEEDNUM, count), (DT_NULL, 0)];
    let mut rest = dynamic(&entries);
    // All needs share the same versions.
    for number in 0..count as u32 {
        rest.extend(
            [1 | (count as u32) << 16, 8, 16 * (count as u32 - number), 16].map(u32::to_le_bytes).concat(),
        );
    }
    rest.extend([0, 0, 8, 16].map(u32::to_le_bytes).concat().repeat(count as usize));
    let segments = [(PT_LOAD, 0, start + rest.len() as u64), (PT_DYNAMIC, start, 16 * 5)];
    let elf = read_bytes(&program(&segments, &rest)).unwrap().unwrap();
    let versions: usize = elf.versions_needed.iter().map(|need| need.versions.len()).sum();
    assert!((count as usize..=ROOM / COST).contains(&versions), "{versions}");
}
