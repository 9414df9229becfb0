//! The two programs: the static binary, and the dynamic probe in it, which needs an old glibc only.

use std::fs;
use std::process::Command;

use object::elf::{PT_DYNAMIC, PT_INTERP};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, elf};

use crate::util::{BINARY, PROBE, skip, text};

type Header = elf::FileHeader64<Endianness>;

/// Segment types and tags of the dynamic section.
fn layout(bytes: &[u8]) -> (Vec<elf::ProgramType>, Vec<elf::DynamicTag>) {
    let header = Header::parse(bytes).unwrap();
    let endian = header.endian().unwrap();
    let segments = header.program_headers(endian, bytes).unwrap();
    let dynamic = segments.iter().find_map(|segment| segment.dynamic(endian, bytes).unwrap()).unwrap();
    let types = segments.iter().map(|segment| segment.p_type(endian)).collect();
    (types, dynamic.iter().map(|entry| entry.tag(endian)).collect())
}

/// Symbol versions that the program needs.
fn versions(bytes: &[u8]) -> Vec<String> {
    let header = Header::parse(bytes).unwrap();
    let endian = header.endian().unwrap();
    let sections = header.sections(endian, bytes).unwrap();
    let (mut needs, link) = sections.gnu_verneed(endian, bytes).unwrap().unwrap();
    let strings = sections.strings(endian, bytes, link).unwrap();
    let mut names = Vec::new();
    while let Some((_, mut list)) = needs.next().unwrap() {
        while let Some(version) = list.next().unwrap() {
            names.push(text(version.name(endian, strings).unwrap()));
        }
    }
    names
}

#[test]
fn the_binary_is_static_pie() {
    let bytes = fs::read(BINARY).unwrap();
    let (segments, tags) = layout(&bytes);
    assert_eq!(Header::parse(bytes.as_slice()).unwrap().e_type.get(Endianness::Little), elf::ET_DYN);
    assert!(!segments.contains(&PT_INTERP), "no loader");
    assert!(segments.contains(&PT_DYNAMIC) && !tags.contains(&elf::DT_NEEDED), "no libraries");
}

#[test]
fn the_probe_is_dynamic_and_needs_only_glibc() {
    let bytes = fs::read(PROBE).unwrap();
    let (segments, tags) = layout(&bytes);
    assert!(segments.contains(&PT_INTERP));
    let output = Command::new("ldd").arg(PROBE).output().unwrap();
    let listed = text(&output.stdout);
    let allowed = [
        "linux-vdso",
        "libc.so.6",
        "libm.so.6",
        "libgcc_s.so.1",
        "libdl.so.2",
        "libpthread.so.0",
        "ld-linux",
        "librt",
    ];
    for line in listed.lines() {
        assert!(allowed.iter().any(|name| line.contains(name)), "{line}");
    }
    assert!(tags.contains(&elf::DT_NEEDED));
}

#[test]
fn version_prints_the_glibc_floor() {
    let output = Command::new(BINARY).arg("--version").output().unwrap();
    let printed = text(&output.stdout);
    let minor = |name: &String| name.strip_prefix("GLIBC_2.")?.split('.').next()?.parse::<u32>().ok();
    let floor = versions(&fs::read(PROBE).unwrap()).iter().filter_map(minor).max().unwrap();
    assert!(printed.contains(&format!("GLIBC_2.{floor} ")), "{printed}");
    // 2.34 when built on Debian 12; the documented release build has 2.17.
    assert!(floor <= 34, "the floor has risen to GLIBC_2.{floor}");
    if let Some(expected) = std::env::var_os("CUDACHECK_EXPECT_FLOOR") {
        assert_eq!(format!("GLIBC_2.{floor}"), expected.to_string_lossy());
    }
}

/// Only `cargo test --release` has the release build.
#[test]
fn the_release_binary_is_small() {
    if cfg!(debug_assertions) {
        skip("run cargo test --release to check the size");
        return;
    }
    let bytes = fs::metadata(BINARY).unwrap().len();
    assert!(bytes <= 6_000_000, "{bytes} bytes");
}
