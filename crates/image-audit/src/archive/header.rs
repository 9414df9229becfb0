//! Headers of a tar: V7, ustar, GNU and pax, with their extensions.
//!
//! An invalid number is an error, because everything after it would be misplaced. Invariant: allocations are
//! bounded by the input.

use anyhow::{Context, Result, bail, ensure};

/// Size of a header; contents are padded to a multiple of it.
pub const BLOCK: usize = 512;

/// A header combined with its extensions.
#[derive(Debug, Default)]
pub struct Member {
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    /// The type flag, `0` for every kind of regular file.
    pub kind: u8,
    pub mode: u32,
    pub uid: u64,
    pub bytes: u64,
    /// The content is stored without its holes.
    pub sparse: bool,
}

pub struct Header {
    name: Vec<u8>,
    link: Vec<u8>,
    pub kind: u8,
    mode: u32,
    uid: u64,
    pub bytes: u64,
}

impl Header {
    pub fn parse(block: &[u8; BLOCK]) -> Result<Header> {
        ensure!(is_header(block), "has an invalid header");
        let field = |name: &str, range: std::ops::Range<usize>| {
            number(&block[range]).with_context(|| format!("has a header with an invalid {name}"))
        };
        let mut name = until_nul(&block[..100]).to_vec();
        if block[257..263] == *b"ustar\0" {
            let prefix = if block[508..] == *b"tar\0" { &block[345..476] } else { &block[345..500] };
            let prefix = until_nul(prefix);
            if !prefix.is_empty() {
                name = [prefix, b"/", &name].concat();
            }
        }
        Ok(Header {
            name,
            link: until_nul(&block[157..257]).to_vec(),
            kind: block[156],
            mode: (field("mode", 100..108)? & 0o7777) as u32,
            uid: field("user", 108..116)?,
            bytes: field("size", 124..136)?,
        })
    }

    /// The real size of an old GNU sparse file.
    pub fn real_bytes(block: &[u8; BLOCK]) -> Result<u64> {
        number(&block[483..495]).context("has a sparse file with an invalid size")
    }
}

/// Whether a block has a valid checksum. Some old writers summed signed bytes.
pub fn is_header(block: &[u8]) -> bool {
    let Some(block) = block.get(..BLOCK) else { return false };
    let Some(sum) = number(&block[148..156]).filter(|sum| *sum > 0) else { return false };
    let others = || block[..148].iter().chain(&block[156..]);
    let blanks = 8 * u64::from(b' ');
    let unsigned = || others().map(|byte| u64::from(*byte)).sum::<u64>() + blanks;
    let signed = || others().map(|byte| i64::from(*byte as i8)).sum::<i64>().checked_add_unsigned(blanks);
    sum == unsigned() || i64::try_from(sum).ok() == signed()
}

pub fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Octal digits, or binary for larger numbers. None if negative or invalid.
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        let push = |value: u64, byte: &u8| Some(value.checked_mul(256)? | u64::from(*byte));
        return if first & 0x40 != 0 { None } else { rest.iter().try_fold(u64::from(first & 0x3f), push) };
    }
    let blank = |byte: &u8| matches!(byte, b' ' | 0);
    let mut digits = field.iter().skip_while(|byte| blank(byte)).take_while(|byte| !blank(byte));
    let push = |value: u64, digit: &u8| {
        matches!(digit, b'0'..=b'7').then_some(())?;
        value.checked_mul(8)?.checked_add(u64::from(digit - b'0'))
    };
    digits.try_fold(0, push)
}

/// Values of extension headers, which apply to the next member.
#[derive(Default)]
pub struct Extensions {
    pub any: bool,
    pub name: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub bytes: Option<u64>,
    uid: Option<u64>,
    /// Of a sparse file.
    sparse: bool,
    real_name: Option<Vec<u8>>,
    pub real_bytes: Option<u64>,
}

impl Extensions {
    /// Records of the form `LENGTH KEY=VALUE\n`; the length counts the whole record.
    pub fn read_pax(&mut self, mut text: &[u8]) -> Result<()> {
        while !text.is_empty() {
            let (record, rest) = pax_record(text).context("has an invalid pax record")?;
            text = rest;
            let Some(equals) = record.iter().position(|byte| *byte == b'=') else {
                bail!("has a pax record without a value");
            };
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            if !value.is_empty() {
                self.set(key, value)?;
            }
        }
        Ok(())
    }

    /// The member, from its header and what preceded it.
    pub fn complete(self, header: Header, real_bytes: Option<u64>) -> Member {
        let name = self.real_name.or(self.name).unwrap_or(header.name);
        let kind = match header.kind {
            // Before there was a type for directories.
            0 if name.ends_with(b"/") => b'5',
            0 | b'7' | b'S' => b'0',
            kind => kind,
        };
        Member {
            name,
            link: self.link.unwrap_or(header.link),
            kind,
            mode: header.mode,
            uid: self.uid.unwrap_or(header.uid),
            bytes: real_bytes.or(self.bytes).unwrap_or(header.bytes),
            sparse: self.sparse || header.kind == b'S',
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let decimal = || {
            let digits = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
            digits.with_context(|| format!("has a pax record with an invalid {}", key.escape_ascii()))
        };
        match key {
            b"path" => self.name = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.bytes = Some(decimal()?),
            b"uid" => self.uid = Some(decimal()?),
            b"GNU.sparse.name" => self.real_name = Some(value.to_vec()),
            b"GNU.sparse.size" | b"GNU.sparse.realsize" => self.real_bytes = Some(decimal()?),
            _ => {}
        }
        self.sparse |= key.starts_with(b"GNU.sparse.");
        Ok(())
    }
}

fn pax_record(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = text.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&text[..space]).ok()?.parse().ok()?;
    let record = text.get(space + 1..length)?.strip_suffix(b"\n")?;
    Some((record, &text[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary() {
        let cases: [(&[u8], Option<u64>); 10] = [
            (b"0000644\0", Some(0o644)),
            (b"   17 \0\0", Some(0o17)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"77777777777\0", Some(0o77777777777)),
            (b"777777777777", Some(0o777777777777)),
            (b"\x80\0\0\0\0\0\x01\0", Some(256)),
            (b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", Some(i64::MAX as u64)),
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\0", None),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"00x0644\0", None),
        ];
        for (field, value) in cases {
            assert_eq!(number(field), value, "{}", field.escape_ascii());
        }
    }

    #[test]
    fn pax_records_count_themselves() {
        let mut more = Extensions::default();
        let text = b"17 path=a\nb=c\xff/d\n12 size=123\n9 uid=70\n12 comment=\n";
        more.read_pax(text).unwrap();
        assert_eq!(more.name.as_deref(), Some(&b"a\nb=c\xff/d"[..]));
        assert_eq!((more.bytes, more.uid), (Some(123), Some(70)));
        for damaged in
            ["12 path=a\n", "0 path=a\n", "99999999999999999999 path=a\n", "path=a\n", "4 a\n", "9 size=x\n"]
        {
            assert!(Extensions::default().read_pax(damaged.as_bytes()).is_err(), "{damaged}");
        }
    }
}
