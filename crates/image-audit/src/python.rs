//! Libraries that a Python package loads by name with ctypes, cffi or cuda.pathfinder.
//!
//! A source that contains `CDLL` or `LoadLibrary` may load every CUDA library whose file name is in it. Names
//! are cut at `.so`, because a pattern or variable often follows. Where cuda.pathfinder is called, or paths below
//! `nvidia` are composed, short names such as `cublas` count as well. The names may also be in a data file of the package, such as JSON. Other
//! names without `.so`, and names in sources that load in other ways, are mentions: no proof of use, but reason
//! enough to keep a copy.

use std::io;
use std::sync::LazyLock;

use memchr::memmem;

use crate::bytes::Bytes;
use crate::catalogue::{library_of, library_of_stem};

/// The libraries that a Python source or data file names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PythonNames {
    pub role: Role,
    /// It loads all libraries in the directories of those that it names.
    pub whole_directories: bool,
    /// Stems such as `libnvrtc`, sorted.
    pub loads: Vec<String>,
    /// Stems, and absolute paths.
    pub mentions: Vec<String>,
}

/// What a file with names does with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// A source that loads libraries, those that it names and perhaps those in data files of its package.
    Loads,
    /// A data file.
    Data,
    /// A source that loads nothing itself: another one of its package may load what it names.
    Names,
    #[default]
    Other,
}

impl PythonNames {
    pub fn is_empty(&self) -> bool {
        self.mentions.is_empty() && self.role != Role::Loads
    }
}

/// Larger sources are generated.
pub const LARGEST: usize = 1 << 20;
/// Larger data files are no lists of libraries.
pub const LARGEST_DATA: usize = 64 << 10;
/// No stem is longer.
const LONGEST: usize = 64;

static SO: LazyLock<memmem::Finder> = LazyLock::new(|| memmem::Finder::new(b".so"));

type Words = LazyLock<Vec<memmem::Finder<'static>>>;

static LOADS: Words = LazyLock::new(|| finders(&["CDLL", "LoadLibrary"]));
/// The function of cuda.pathfinder, which takes names such as `cublas`.
const PATHFINDER: &str = "load_nvidia_dynamic_lib";
/// The directory of NVIDIA's wheels as part of a path.
const COMPOSED: [&str; 2] = ["\"nvidia\"", "'nvidia'"];
/// A pattern for all libraries of a wheel.
const WHOLE: &str = "lib/lib*";
static OTHER_LOADERS: Words =
    LazyLock::new(|| finders(&["find_library", "dlopen", "pathfinder", PATHFINDER]));

/// Most sources have none of the words, so that each is searched for all of them.
fn finders(words: &[&'static str]) -> Vec<memmem::Finder<'static>> {
    words.iter().map(|word| memmem::Finder::new(*word)).collect()
}

/// Reads a source, through a buffer that calls share.
pub fn inspect(bytes: &dyn Bytes, scratch: &mut Vec<u8>) -> io::Result<PythonNames> {
    if scratch.len() < LARGEST {
        scratch.resize(LARGEST, 0);
    }
    let read = bytes.read_at(&mut scratch[..LARGEST], 0)?;
    Ok(names(&scratch[..read]))
}

/// Reads a data file of a package, through a buffer that calls share.
pub fn inspect_data(bytes: &dyn Bytes, scratch: &mut Vec<u8>) -> io::Result<PythonNames> {
    if scratch.len() < LARGEST_DATA {
        scratch.resize(LARGEST_DATA, 0);
    }
    let read = bytes.read_at(&mut scratch[..LARGEST_DATA], 0)?;
    let mentions = sorted(stems(&scratch[..read]).collect());
    Ok(PythonNames { role: Role::Data, mentions, ..PythonNames::default() })
}

/// Whether a script has Python in its first line.
pub fn is_script(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.starts_with(b"#!") && memmem::find(line, b"python").is_some()
}

fn names(source: &[u8]) -> PythonNames {
    let has_any = |words: &Words| words.iter().any(|word| word.find(source).is_some());
    let contains = |words: &[&str]| words.iter().any(|word| memmem::find(source, word.as_bytes()).is_some());
    let by_ctypes = has_any(&LOADS);
    if !by_ctypes && !has_any(&OTHER_LOADERS) {
        let mentions = sorted(stems(source).collect());
        return PythonNames { role: Role::Names, mentions, ..PythonNames::default() };
    }
    let by_pathfinder = contains(&[PATHFINDER]);
    let composes = by_pathfinder || by_ctypes && contains(&COMPOSED);
    let stems: Vec<String> = stems(source).collect();
    let strings = code_lines(source).flat_map(|line| line.split(|byte| matches!(byte, b'"' | b'\'')));
    let quoted: Vec<String> = strings.filter_map(quoted).collect();
    let mentions = sorted(stems.iter().chain(&quoted).cloned().collect());
    let mut loads = if by_ctypes || by_pathfinder { stems } else { Vec::new() };
    if composes {
        // "cuda" alone is seldom the driver.
        let short = |name: &String| library_of_stem(name).is_some_and(|library| !library.driver);
        loads.extend(quoted.into_iter().filter(short));
    }
    let role = if by_ctypes || by_pathfinder { Role::Loads } else { Role::Other };
    let whole_directories = composes && contains(&["glob"]) && contains(&[WHOLE]);
    PythonNames { role, whole_directories, loads: sorted(loads), mentions }
}

/// Lines that are no comments.
fn code_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|byte| *byte == b'\n');
    lines.filter(|line| !line.trim_ascii_start().starts_with(b"#"))
}

/// Names before `.so`, except in comments. Few sources have any, so that only lines with one are looked at.
fn stems(text: &[u8]) -> impl Iterator<Item = String> {
    let is_comment = |start: usize| text[start..].trim_ascii_start().starts_with(b"#");
    // The line of the last hit.
    let (mut seen, mut comment) = (0, is_comment(0));
    SO.find_iter(text).filter_map(move |hit| {
        if let Some(end) = memchr::memrchr(b'\n', &text[seen..hit]) {
            comment = is_comment(seen + end + 1);
        }
        seen = hit;
        (!comment).then(|| stem_before(text, hit))?
    })
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
    // Most texts are no names at all.
    let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if text.len() > LONGEST || !text.bytes().all(part) {
        return None;
    }
    let stems = [text.to_owned(), format!("lib{text}")];
    stems.into_iter().find(|stem| library_of_stem(stem).is_some())
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
    library_of_stem(stem).map(|_| stem.to_owned())
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
        let others = names(b"x = 'libcublas.so.12'");
        assert_eq!(
            (others.role, others.loads.len(), others.mentions),
            (Role::Names, 0, vec!["libcublas".into()])
        );
        assert!(names(b"x = 'libother.so.12'").is_empty());
    }

    #[test]
    fn long_lines_of_names_are_linear() {
        let mut source = b"CDLL('libcudart.so') ".to_vec();
        source.resize(LARGEST, b' ');
        source.chunks_exact_mut(3).skip(7).for_each(|name| name.copy_from_slice(b".so"));
        assert_eq!(names(&source).loads, ["libcudart"]);
    }

    #[test]
    fn short_names_for_pathfinder() {
        let source = b"load_nvidia_dynamic_lib('cufile')\n# 'cublas'\nopen('/opt/libcufft.so.11')";
        let PythonNames { role, loads, mentions, .. } = names(source);
        assert_eq!((role, loads), (Role::Loads, vec!["libcufft".into(), "libcufile".into()]));
        assert_eq!(mentions, ["/opt/libcufft.so.11", "libcufft", "libcufile"]);
    }

    #[test]
    fn short_names_for_paths_below_nvidia() {
        let source = b"glob(join(site, 'nvidia', name, 'lib/lib*.so.*')); CDLL(path); load('cudnn')";
        assert_eq!(names(source).loads, ["libcudnn"]);
        assert!(names(source).whole_directories);
        assert_eq!(names(b"CDLL(path); load('cudnn')").loads, Vec::<String>::new());
    }

    #[test]
    fn names_in_data() {
        let data = br#"{"library": "libcublasLt.so.12", "files": ["libcutensorMg.so.2.4.1", "x.so"]}"#;
        let found: Vec<String> = stems(data).collect();
        assert_eq!(found, ["libcublasLt", "libcutensorMg"]);
    }

    #[test]
    fn names_that_are_mentioned() {
        let source =
            b"find_library('cudart'); open('/opt/x/libcufft.so.11'); load = 'nothing'; y = \"libnvrtc\"";
        assert_eq!(names(source).mentions, ["/opt/x/libcufft.so.11", "libcudart", "libcufft", "libnvrtc"]);
        assert_eq!(names(source).loads, Vec::<String>::new());
    }
}
