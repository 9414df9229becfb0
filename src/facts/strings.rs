//! Names of listed libraries in read-only data: what an object may pass to dlopen.

use std::sync::LazyLock;

use memchr::memmem;

use super::catalogue::library_of;

/// A name and the offset in the file at which it was found.
pub struct Hit {
    pub at: u64,
    pub name: String,
}

/// No soname is longer.
const LONGEST: usize = 64;
/// Letters that may stand before a name by chance.
const JUNK: usize = 3;

static FINDER: LazyLock<memmem::Finder> = LazyLock::new(|| memmem::Finder::new(b".so"));

/// The names in a piece that begins at an offset.
pub fn names(start: u64, piece: &[u8]) -> impl Iterator<Item = Hit> {
    FINDER
        .find_iter(piece)
        .filter_map(move |hit| name_around(piece, hit).map(|name| Hit { at: start + hit as u64, name }))
}

/// The string around `hit`, if all of it names a listed library, by file name or by path.
fn name_around(piece: &[u8], hit: usize) -> Option<String> {
    let text = |byte: &u8| (b' '..=b'~').contains(byte);
    // A longer text is no name: however long it is, looking at it costs the same.
    let from = hit.saturating_sub(LONGEST);
    let start = piece[from..hit].iter().rposition(|byte| !text(byte)).map_or(from, |place| from + place + 1);
    let rest = &piece[hit..piece.len().min(hit + LONGEST)];
    let end = hit + rest.iter().position(|byte| !text(byte)).filter(|length| rest[*length] == 0)?;
    let text = std::str::from_utf8(piece.get(start..end).filter(|text| text.len() <= LONGEST)?).ok()?;
    let file = text.rfind('/').map_or(0, |slash| slash + 1);
    // A number that lies before a string can look like a few letters of it.
    let skipped = if file == 0 { text.find("lib").filter(|junk| *junk <= JUNK)? } else { 0 };
    library_of(&text[file.max(skipped)..]).map(|_| text[skipped..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_strings() {
        let name = |text: &[u8]| names(0, text).next().map(|hit| hit.name);
        assert_eq!(name(b"\0libcuda.so.1\0"), Some("libcuda.so.1".into()));
        assert_eq!(name(b"\xf0?libcuda.so.1\0"), Some("libcuda.so.1".into()));
        assert_eq!(name(b"\0/usr/lib64/libcuda.so.1\0"), Some("/usr/lib64/libcuda.so.1".into()));
        for other in [
            b"\0see libcuda.so.1\0".as_slice(),
            b"\0libcuda.so.1 is\0",
            b"\0libcuda.so.%d\0",
            b"\0libx.so\0",
            b".so",
        ] {
            assert_eq!(name(other), None, "{other:?}");
        }
    }
}
