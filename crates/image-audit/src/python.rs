//! Libraries that a Python source loads by name with ctypes, cffi or cuda.pathfinder.
//!
//! A source that contains `CDLL` or `LoadLibrary` may load every CUDA library whose file name is in it. Names
//! are cut at `.so`, because a pattern or variable often follows. Names without `.so`, and names in sources
//! that load in other ways, are mentions: no proof of use, but reason enough to keep a copy.

use std::io;

use memchr::memmem;

use crate::bytes::Bytes;
use crate::catalogue::library_of;

/// The libraries that a Python source names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PythonNames {
    /// Stems such as `libnvrtc`, sorted.
    pub loads: Vec<String>,
    /// Stems, and absolute paths.
    pub mentions: Vec<String>,
}

impl PythonNames {
    pub fn is_empty(&self) -> bool {
        self.mentions.is_empty()
    }
}

/// Larger sources are generated.
pub const LARGEST: usize = 1 << 20;
/// No stem is longer.
const LONGEST: usize = 64;

const LOADS: [&[u8]; 2] = [b"CDLL", b"LoadLibrary"];
const OTHER_LOADERS: [&[u8]; 3] = [b"find_library", b"dlopen", b"pathfinder"];

/// Reads a source, through a buffer that calls share.
pub fn inspect(bytes: &dyn Bytes, scratch: &mut Vec<u8>) -> io::Result<PythonNames> {
    if scratch.len() < LARGEST {
        scratch.resize(LARGEST, 0);
    }
    let read = bytes.read_at(&mut scratch[..LARGEST], 0)?;
    Ok(names(&scratch[..read]))
}

/// Whether a script has Python in its first line.
pub fn is_script(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.starts_with(b"#!") && memmem::find(line, b"python").is_some()
}

fn names(source: &[u8]) -> PythonNames {
    let contains = |words: &[&[u8]]| words.iter().any(|word| memmem::find(source, word).is_some());
    let loads = contains(&LOADS);
    if !loads && !contains(&OTHER_LOADERS) {
        return PythonNames::default();
    }
    let finder = memmem::Finder::new(b".so");
    let lines = source.split(|byte| *byte == b'\n');
    let code = lines.filter(|line| !line.trim_ascii_start().starts_with(b"#"));
    let stems_in = |line| finder.find_iter(line).filter_map(move |hit| stem_before(line, hit));
    let stems: Vec<String> = code.flat_map(stems_in).collect();
    let quoted = source.split(|byte| matches!(byte, b'"' | b'\'' | b'\n')).filter_map(quoted);
    let mentions = stems.iter().cloned().chain(quoted).collect();
    PythonNames { loads: sorted(if loads { stems } else { Vec::new() }), mentions: sorted(mentions) }
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list.dedup();
    list
}

/// A text between quotes that is an absolute path of a listed library, or a name without an ending.
fn quoted(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok().filter(|text| (3..256).contains(&text.len()))?;
    if text.starts_with('/') {
        return library_of(text.rsplit('/').next()?).map(|_| text.to_owned());
    }
    let stems = [text.to_owned(), format!("lib{text}")];
    stems.into_iter().find(|stem| !stem.contains('.') && library_of(&format!("{stem}.so")).is_some())
}

fn stem_before(line: &[u8], hit: usize) -> Option<String> {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    // A longer line of names must not cost more.
    let from = hit.saturating_sub(LONGEST);
    let start = match line[from..hit].iter().rposition(|byte| !part(byte)) {
        Some(place) => from + place + 1,
        None if from == 0 => 0,
        None => return None,
    };
    let stem = std::str::from_utf8(&line[start..hit]).ok()?;
    library_of(&format!("{stem}.so")).map(|_| stem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_loaded() {
        let source = br#"
            ctypes.CDLL(f"libnvrtc.so.{major}")
            libs = {"cublas": "libcublas.so.*[0-9]", "other": "libother.so.1"}
            path = os.path.join(lib, 'libcublas.so')
            # libnccl.so.2 is loaded by torch
        "#;
        assert_eq!(names(source).loads, ["libcublas", "libnvrtc"]);
        assert!(names(b"x = 'libcublas.so.12'").is_empty());
    }

    #[test]
    fn long_lines_of_names_are_linear() {
        let mut source = b"CDLL('libcudart.so') ".to_vec();
        source.resize(LARGEST, b' ');
        source.chunks_exact_mut(3).skip(7).for_each(|name| name.copy_from_slice(b".so"));
        assert_eq!(names(&source).loads, ["libcudart"]);
    }

    #[test]
    fn names_that_are_mentioned() {
        let source =
            b"find_library('cudart'); open('/opt/x/libcufft.so.11'); load = 'nothing'; y = \"libnvrtc\"";
        assert_eq!(names(source).mentions, ["/opt/x/libcufft.so.11", "libcudart", "libcufft", "libnvrtc"]);
        assert_eq!(names(source).loads, Vec::<String>::new());
    }
}
