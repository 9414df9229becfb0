//! Names of CUDA libraries in read-only data: what an object may pass to dlopen.
//!
//! A whole string that is a file name is a *name*. A part of a longer string that looks like one (a format
//! string, or a string without a terminating NUL, as in Rust and Go) is a *mention* of its stem, unless it is
//! part of a sentence.
//!
//! Compilers put short strings into code instead of read-only data: eight letters for each instruction, so that only
//! the first *piece* of a name can be found.

use std::sync::LazyLock;

use memchr::memmem;

use crate::catalogue::{LIBRARIES, library_of, library_of_stem};

/// A match with its offset in the file.
pub struct Hit {
    pub at: u64,
    pub text: Found,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Such as `libcudart.so.12`, or a path.
    Name(String),
    /// Such as `libcudart`.
    Mention(String),
}

/// No soname is longer.
const LONGEST: usize = 64;
/// Bytes before and after a match that decide on it: a name, and the byte before it.
pub const CONTEXT: u64 = LONGEST as u64 + 1;
/// Letters that may precede a name by chance.
const JUNK: usize = 3;

static FINDER: LazyLock<memmem::Finder> = LazyLock::new(|| memmem::Finder::new(b".so"));

/// Searches a piece that begins at offset `start`.
pub fn find(start: u64, piece: &[u8]) -> impl Iterator<Item = Hit> {
    FINDER.find_iter(piece).filter_map(move |hit| {
        let found = name(piece, hit).map(Found::Name).or_else(|| mention(piece, hit).map(Found::Mention));
        found.map(|text| Hit { at: start + hit as u64, text })
    })
}

/// A piece of a name with its offset in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub at: u64,
    /// Such as `libcubla`, of libcublas or libcublasLt.
    pub text: String,
}

/// Letters that one instruction holds.
pub const PIECE: usize = 8;
/// Letters of the shortest stem, `libcuda`, whose pieces are told apart.
const SHORTEST: usize = 7;

static PREFIX: LazyLock<memmem::Finder> = LazyLock::new(|| memmem::Finder::new(b"lib"));

/// Searches code that begins at offset `start` for pieces of names.
pub fn pieces(start: u64, code: &[u8]) -> impl Iterator<Item = Piece> {
    PREFIX.find_iter(code).filter_map(move |hit| {
        // A window that is cut is whole in the next part of the code.
        let window = code.get(hit..hit + PIECE)?;
        let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let length = window.iter().position(|byte| !letter(byte)).unwrap_or(window.len());
        let text = std::str::from_utf8(&window[..length]).ok()?;
        let stems = || LIBRARIES.iter().flat_map(|library| library.stems);
        let known = length >= SHORTEST && stems().any(|stem| is_piece_of(text, stem.trim_end_matches('*')));
        known.then(|| Piece { at: start + hit as u64, text: text.to_owned() })
    })
}

/// Whether a piece may begin a file name with that stem.
pub fn is_piece_of(piece: &str, stem: &str) -> bool {
    let whole = piece.split('.').next().unwrap_or(piece);
    if whole.len() < piece.len() || piece.len() < PIECE {
        return whole == stem;
    }
    // The last letter of a short stem may belong to the next instruction.
    stem.starts_with(piece) || stem.len() >= SHORTEST && piece.starts_with(stem)
}

fn is_text(byte: &u8) -> bool {
    (b' '..=b'~').contains(byte)
}

/// The string around `hit`, if all of it is the file name or path of a CUDA library.
fn name(piece: &[u8], hit: usize) -> Option<String> {
    // A longer string is not a name, and must not cost more.
    let from = hit.saturating_sub(LONGEST);
    let start =
        piece[from..hit].iter().rposition(|byte| !is_text(byte)).map_or(from, |place| from + place + 1);
    let rest = &piece[hit..piece.len().min(hit + LONGEST)];
    let end = hit + rest.iter().position(|byte| !is_text(byte)).filter(|length| rest[*length] == 0)?;
    let text = std::str::from_utf8(piece.get(start..end).filter(|text| text.len() <= LONGEST)?).ok()?;
    let file = text.rfind('/').map_or(0, |slash| slash + 1);
    // A number before a string can look like a few letters of it.
    let skipped = if file == 0 { text.find("lib").filter(|junk| *junk <= JUNK)? } else { 0 };
    library_of(&text[file.max(skipped)..]).map(|_| text[skipped..].to_owned())
}

/// The stem before `hit`, unless spaces or quotes show that it is part of a sentence.
fn mention(piece: &[u8], hit: usize) -> Option<String> {
    let from = hit.saturating_sub(LONGEST);
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let start = piece[from..hit].iter().rposition(|byte| !part(byte)).map_or(from, |place| from + place + 1);
    let rest = &piece[hit + 3..piece.len().min(hit + LONGEST)];
    let numbers = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.').unwrap_or(rest.len());
    let prose = |byte: Option<&u8>| {
        byte.is_some_and(|byte| matches!(byte, b' ' | b'\'' | b'"' | b'`' | b'(' | b')' | b','))
    };
    let text = std::str::from_utf8(&piece[start..hit]).ok()?;
    let stem = &text[text.rfind("lib")?..];
    // A letter right before the name is the end of another string.
    let before =
        start.checked_sub(1).filter(|_| stem.len() == text.len()).and_then(|before| piece.get(before));
    if prose(before) || prose(rest.get(numbers)) {
        return None;
    }
    library_of_stem(stem).map(|_| stem.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_code() {
        let found = |code: &[u8]| pieces(0, code).map(|piece| piece.text).collect::<Vec<_>>();
        // movabs rax, "libcubla"; mov dword [rdi + 8], "s.so"
        assert_eq!(found(b"\x48\xb8libcubla\xc7\x47\x08s.so"), ["libcubla"]);
        assert_eq!(found(b"\x48\xb8libnccl\0"), ["libnccl"]);
        assert_eq!(found(b"\x48\xb8libcuda"), Vec::<String>::new(), "cut");
        assert_eq!(found(b"\x48\xb8libcuda.\x66libcufftU"), ["libcuda.", "libcufft"]);
        assert_eq!(found(b"\x48\xb8libcurl.\x48\xb8libnv\x48libother.libc"), Vec::<String>::new());
        for (piece, stem, is) in [
            ("libcubla", "libcublas", true),
            ("libcubla", "libcublasLt", true),
            ("libcubla", "libcufft", false),
            ("libcuda.", "libcuda", true),
            ("libcuda.", "libcudart", false),
            ("libcudar", "libcudart", true),
            ("libnccl", "libnccl", true),
            ("libnccl", "libnccl-net", false),
            ("libnvvmH", "libnvvm", true),
        ] {
            assert_eq!(is_piece_of(piece, stem), is, "{piece} {stem}");
        }
    }

    #[test]
    fn names_are_whole_strings() {
        let found = |text: &[u8]| find(0, text).next().map(|hit| hit.text);
        let name = |text: &str| Some(Found::Name(text.to_owned()));
        let mention = |text: &str| Some(Found::Mention(text.to_owned()));
        assert_eq!(found(b"\0libcuda.so.1\0"), name("libcuda.so.1"));
        assert_eq!(found(b"\xf0?libcuda.so.1\0"), name("libcuda.so.1"));
        assert_eq!(found(b"\0/usr/lib64/libcuda.so.1\0"), name("/usr/lib64/libcuda.so.1"));
        assert_eq!(found(b"\0libnvrtc.so.%d\0"), mention("libnvrtc"));
        assert_eq!(found(b"a first stringlibcublas.so.12second"), mention("libcublas"));
        for other in [
            b"\0see libcuda.so.1\0".as_slice(),
            b"\0libcuda.so.1 is\0",
            b"\0'libcuda.so.1'\0",
            b"\0libx.so\0",
            b".so",
        ] {
            assert_eq!(found(other), None, "{other:?}");
        }
    }
}
