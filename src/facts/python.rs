//! Libraries that a Python source loads by name: what it passes to ctypes.
//!
//! A source counts if it speaks of `CDLL`; every file name of a listed library in it is then a name
//! that it may load. Names are kept up to `.so`: what follows is often a pattern or a variable.

use std::io;

use memchr::memmem;

use super::bytes::Bytes;
use super::catalogue::library_of;

/// Sources that are larger were not written by hand.
pub const LARGEST: usize = 1 << 20;

/// The stems of a file, read into memory that many calls share.
pub fn stems_of(bytes: &dyn Bytes, scratch: &mut Vec<u8>) -> io::Result<Vec<String>> {
    if scratch.len() < LARGEST {
        scratch.resize(LARGEST, 0);
    }
    let read = bytes.read_at(&mut scratch[..LARGEST], 0)?;
    Ok(stems(&scratch[..read]))
}

/// Stems such as `libnvrtc`, sorted.
fn stems(source: &[u8]) -> Vec<String> {
    if memmem::find(source, b"CDLL").is_none() {
        return Vec::new();
    }
    let mut stems: Vec<String> =
        memmem::find_iter(source, b".so").filter_map(|hit| stem_before(source, hit)).collect();
    stems.sort();
    stems.dedup();
    stems
}

fn stem_before(source: &[u8], hit: usize) -> Option<String> {
    let line = source[..hit].iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
    if source[line..hit].trim_ascii_start().starts_with(b"#") {
        return None;
    }
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let start = source[..hit].iter().rposition(|byte| !part(byte)).map_or(0, |place| place + 1);
    let stem = std::str::from_utf8(&source[start..hit]).ok()?;
    library_of(&format!("{stem}.so")).map(|_| stem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_sources_that_load() {
        let source = br#"
            ctypes.CDLL(f"libnvrtc.so.{major}")
            libs = {"cublas": "libcublas.so.*[0-9]", "other": "libother.so.1"}
            path = os.path.join(lib, 'libcublas.so')
            # libnccl.so.2 is loaded by torch
        "#;
        assert_eq!(stems(source), ["libcublas", "libnvrtc"]);
        assert_eq!(stems(b"x = 'libcublas.so.12'"), Vec::<String>::new());
    }
}
