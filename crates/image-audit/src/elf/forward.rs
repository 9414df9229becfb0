//! The note in the libcuda of a forward-compatibility package.
//!
//! It is an ELF note by `NVIDIA Corporation` whose text is JSON: `Format`, `CUDA Version`, `Driver` (a list
//! of branches) and `Device` (a list of numbers), according to NVIDIA's container toolkit, which reads it for
//! the same purpose. The meaning of `Device` is not documented, so it is ignored. The libcuda of the drivers
//! 470 and 535 has no such note; the tests use generated notes.

use object::Endianness;
use object::read::elf::SectionHeader;
use serde::Deserialize;

use super::headers::Object;
use super::sections::Sections;
use super::types::Forward;

#[derive(Deserialize)]
struct Text {
    #[serde(rename = "CUDA Version")]
    cuda: Option<String>,
    #[serde(rename = "Driver", default)]
    drivers: Vec<u32>,
}

const SECTION: &[u8] = b".note.cuda.fwd_compatibility";
const OWNER: &[u8] = b"NVIDIA Corporation";
/// Limit of the size of a note.
const LONGEST: u64 = 64 << 10;

impl<'a> Object<'a> {
    pub fn forward(&self, sections: &Sections<'a>) -> Option<Forward> {
        let (_, section) = sections.section_by_name(self.endian, SECTION)?;
        let align = section.sh_addralign(self.endian);
        let range = self.range(sections, SECTION)?;
        let length = range.end.checked_sub(range.start).filter(|length| *length <= LONGEST)?;
        let mut note = vec![0; usize::try_from(length).ok()?];
        let read = self.bytes.read_at(&mut note, range.start).ok()?;
        note.truncate(read);
        parse(&note, usize::try_from(align).ok()?, self.endian)
    }
}

/// Three words (sizes of name and text, and a type), then name and text, each padded to the alignment of the
/// section.
fn parse(note: &[u8], align: usize, endian: Endianness) -> Option<Forward> {
    let word = |at: usize| -> Option<usize> {
        let bytes = note.get(at..at + 4)?.try_into().ok()?;
        let word = match endian {
            Endianness::Little => u32::from_le_bytes(bytes),
            Endianness::Big => u32::from_be_bytes(bytes),
        };
        usize::try_from(word).ok()
    };
    let (name, text) = (word(0)?, word(4)?);
    let name_bytes = note.get(12..12usize.checked_add(name)?)?;
    let trimmed = |bytes: &'_ [u8]| bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if &name_bytes[..trimmed(name_bytes)] != OWNER {
        return None;
    }
    let start = 12usize.checked_add(name.checked_next_multiple_of(align.max(1))?)?;
    // Some libraries claim more text than they have.
    let text = note.get(start..note.len().min(start.checked_add(text)?))?;
    let text: Text = serde_json::from_slice(&text[..trimmed(text)]).ok()?;
    Some(Forward { cuda: text.cuda, drivers: text.drivers })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(owner: &[u8], text: &[u8], align: usize) -> Vec<u8> {
        let mut note = Vec::new();
        for word in [owner.len() as u32, text.len() as u32, 1] {
            note.extend(word.to_le_bytes());
        }
        for part in [owner, text] {
            note.extend(part);
            note.resize(12 + (note.len() - 12).next_multiple_of(align), 0);
        }
        note
    }

    #[test]
    fn notes_are_read_or_refused() {
        let text = br#"{"Format": 1, "CUDA Version": "13.1", "Driver": [535, 550], "Device": [1, 2]}"#;
        let expected = Forward { cuda: Some("13.1".into()), drivers: vec![535, 550] };
        for align in [1, 4, 8] {
            let whole = note(b"NVIDIA Corporation\0", text, align);
            assert_eq!(parse(&whole, align, Endianness::Little), Some(expected.clone()), "{align}");
            for end in 0..whole.len() - align {
                assert_eq!(parse(&whole[..end], align, Endianness::Little), None, "cut at {end}");
            }
            for at in 0..12 {
                let mut bytes = whole.clone();
                bytes[at] = 0xff;
                // A wrong size of the text, and the type, do not matter.
                let expected = (at >= 4).then(|| expected.clone());
                assert_eq!(parse(&bytes, align, Endianness::Little), expected, "changed at {at}");
            }
        }
        let cases: [(&[u8], &[u8]); 3] =
            [(b"GNU\0", text), (b"NVIDIA Corporation", b"{"), (b"NVIDIA Corporation", b"")];
        for (owner, text) in cases {
            assert_eq!(parse(&note(owner, text, 4), 4, Endianness::Little), None);
        }
    }
}
