//! Packages that rpm has installed, from `rpmdb.sqlite`.
//!
//! Each row of the table Packages contains the header of a package: an index of tags, and their data. The
//! older database formats, Berkeley DB and ndb, are not supported.

use std::borrow::Cow;

use anyhow::{Context, Result, bail, ensure};
use memchr::memchr;

use super::package::Package;
use super::sqlite::{self, Value};

/// The packages in a database. Their files are those of `rpm -ql`, including directories and files that may
/// not exist.
pub fn packages(rpmdb_sqlite: &[u8]) -> Result<Vec<Package>> {
    let mut packages = Vec::new();
    sqlite::for_each_row(rpmdb_sqlite, "Packages", |columns| {
        let [_, Value::Blob(header), ..] = columns else { bail!("a row of Packages has no header") };
        packages.push(package(header).with_context(|| format!("package {}", packages.len() + 1))?);
        Ok(())
    })?;
    Ok(packages)
}

fn package(header: &[u8]) -> Result<Package> {
    let header = Header::parse(header)?;
    let text = |tag, what| header.text(tag)?.with_context(|| format!("no {what}"));
    let mut version = format!("{}-{}", text(VERSION, "version")?, text(RELEASE, "release")?);
    if let Some(epoch) = header.numbers(EPOCH)?.first() {
        version = format!("{}:{version}", u32::from_be_bytes(*epoch));
    }
    Ok(Package { name: text(NAME, "name")?.into_owned(), version, files: header.files()? })
}

const NAME: u32 = 1000;
const VERSION: u32 = 1001;
const RELEASE: u32 = 1002;
const EPOCH: u32 = 1003;
/// Full paths, in packages of rpm 3.
const OLD_FILE_NAMES: u32 = 1027;
const DIRECTORY_INDEXES: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIRECTORY_NAMES: u32 = 1118;

/// Types of values.
const INT32: u32 = 4;
const STRING: u32 = 6;
const STRINGS: u32 = 8;

/// Limit of the total length of paths, as a multiple of the header's length. Real paths are about as long as
/// the header, because it has a digest, an owner, a size and more for each file.
const EXPANSION: usize = 16;

struct Header<'a> {
    /// Tag, type, offset and count.
    index: &'a [[[u8; 4]; 4]],
    data: &'a [u8],
}

impl<'a> Header<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Header<'a>> {
        let ([entries, length], rest) = match bytes.as_chunks::<4>().0 {
            [entries, length, ..] => ([*entries, *length].map(u32::from_be_bytes), &bytes[8..]),
            _ => bail!("the header is truncated"),
        };
        let (wanted, there) = (u64::from(entries) * 16 + u64::from(length), rest.len());
        ensure!(wanted == there as u64, "the header has {there} of {wanted} bytes");
        let (index, data) = rest.split_at(entries as usize * 16);
        Ok(Header { index: index.as_chunks().0.as_chunks().0, data })
    }

    /// The data of a tag, and the number of its values.
    fn find(&self, tag: u32, types: &[u32]) -> Result<Option<(&'a [u8], usize)>> {
        // Changes made at installation follow the original entries.
        let mut entries = self.index.iter().rev().map(|entry| entry.map(u32::from_be_bytes));
        let Some([_, kind, offset, count]) = entries.find(|entry| entry[0] == tag) else { return Ok(None) };
        ensure!(types.contains(&kind), "tag {tag} is of type {kind}");
        let data = usize::try_from(offset).ok().and_then(|offset| self.data.get(offset..));
        let data = data.with_context(|| format!("tag {tag} points beyond the header"))?;
        Ok(Some((data, usize::try_from(count)?)))
    }

    fn numbers(&self, tag: u32) -> Result<&'a [[u8; 4]]> {
        let Some((data, count)) = self.find(tag, &[INT32])? else { return Ok(&[]) };
        let numbers = data.as_chunks().0.get(..count);
        numbers.with_context(|| format!("tag {tag} has fewer than {count} numbers"))
    }

    fn strings(&self, tag: u32) -> Result<Vec<&'a [u8]>> {
        let Some((mut data, count)) = self.find(tag, &[STRING, STRINGS])? else { return Ok(Vec::new()) };
        let next = |_| {
            let end = memchr(0, data).with_context(|| format!("tag {tag} has fewer than {count} strings"))?;
            let string = &data[..end];
            data = &data[end + 1..];
            Ok(string)
        };
        (0..count).map(next).collect()
    }

    fn text(&self, tag: u32) -> Result<Option<Cow<'a, str>>> {
        Ok(self.strings(tag)?.first().map(|text| String::from_utf8_lossy(text)))
    }

    fn files(&self) -> Result<Vec<String>> {
        let (names, indexes) = (self.strings(BASE_NAMES)?, self.numbers(DIRECTORY_INDEXES)?);
        let directories = self.strings(DIRECTORY_NAMES)?;
        let (files, places) = (names.len(), indexes.len());
        ensure!(files == places, "{files} files have {places} directory indexes");
        if names.is_empty() {
            let paths = self.strings(OLD_FILE_NAMES)?;
            return Ok(paths.iter().map(|path| String::from_utf8_lossy(path).into_owned()).collect());
        }
        let mut room = self.data.len().saturating_mul(EXPANSION);
        let path = |(name, index): (&&[u8], &[u8; 4])| {
            let index = u32::from_be_bytes(*index);
            let directory = usize::try_from(index).ok().and_then(|index| directories.get(index));
            let directory = directory.with_context(|| format!("directory index {index} is out of range"))?;
            let length = directory.len().saturating_add(name.len());
            room = room.checked_sub(length).context("the paths are too long for the header")?;
            let path = [*directory, *name].concat();
            Ok(String::from_utf8_lossy(&path).into_owned())
        };
        names.iter().zip(indexes).map(path).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by rpm 4.18 and repacked by SQLite into small pages: packages with an epoch, with many files,
    /// without files, a key, and one that was relocated from /opt to /srv.
    const DATABASE: &[u8] = include_bytes!("samples/rpmdb.sqlite");

    fn shown(package: Package) -> String {
        format!("{} {} {}", package.name, package.version, package.files.join(" "))
    }

    #[test]
    fn agrees_with_rpm() {
        let mut headers: Vec<String> =
            (1..=40).map(|number| format!("/usr/include/beta/h{number}.h")).collect();
        headers.sort();
        let want = [
            "alpha 2:1.2.3-4 /opt/alpha /opt/alpha/lib /opt/alpha/lib/a.txt /opt/alpha/with space \
             /usr/lib64/libalpha1.so /usr/lib64/libalpha1.so.1 /usr/lib64/libalpha2.so.2 \
             /usr/lib64/libalpha3.so.3 /var/cache/alpha"
                .to_owned(),
            format!("beta-devel 0.9~rc1-1.el9 /etc/beta.conf /usr/include/beta {}", headers.join(" ")),
            "gpg-pubkey 466be78a-6b057c5d ".to_owned(),
            "meta 7-1 ".to_owned(),
            "moved 3-1 /srv/moved/lib/libmoved.so.3".to_owned(),
        ];
        let mut found: Vec<String> = packages(DATABASE).unwrap().into_iter().map(shown).collect();
        found.sort();
        assert_eq!(found, want);
    }

    /// A header of tags, with their types, counts and data.
    fn header(tags: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
        let (mut index, mut data) = (Vec::new(), Vec::new());
        for (tag, kind, count, bytes) in tags {
            index.extend([*tag, *kind, data.len() as u32, *count].map(u32::to_be_bytes).concat());
            data.extend_from_slice(bytes);
        }
        let lengths = [tags.len() as u32, data.len() as u32].map(u32::to_be_bytes);
        [lengths.concat(), index, data].concat()
    }

    #[test]
    fn headers_are_read_or_refused() {
        type Tag<'a> = (u32, u32, u32, &'a [u8]);
        let name: [Tag; 3] = [(NAME, 6, 1, b"n\0"), (VERSION, 6, 1, b"1\0"), (RELEASE, 6, 1, b"2\0")];
        let (directory, index): (Tag, Tag) = ((1118, 8, 1, b"/d/\0"), (1116, 4, 1, &[0; 4]));
        let (long, many) = ([b"/".repeat(99_999), vec![0]].concat(), [0; 400]);
        let cases: [(&[Tag], &str); 12] = [
            (&[], "n 1-2 "),
            (&[(1117, 8, 1, b"f\0"), directory, index], "n 1-2 /d/f"),
            (&[(1117, 8, 1, b"\xff\0"), directory, index], "n 1-2 /d/\u{fffd}"),
            (&[(1027, 8, 2, b"/a\0/b/c\0")], "n 1-2 /a /b/c"),
            (&[(EPOCH, 4, 1, &[0, 0, 0, 9]), (NAME, 6, 1, b"last\0")], "last 9:1-2 "),
            (&[(NAME, 4, 1, b"n\0\0\0")], "tag 1000 is of type 4"),
            (&[(NAME, 6, 1, b"n")], "tag 1000 has fewer than 1 strings"),
            (&[(1117, 8, u32::MAX, b"f\0")], "tag 1117 has fewer than 4294967295 strings"),
            (&[(1116, 4, u32::MAX, &[0; 4])], "tag 1116 has fewer than 4294967295 numbers"),
            (&[(1117, 8, 1, b"f\0"), directory], "1 files have 0 directory indexes"),
            (
                &[(1117, 8, 1, b"f\0"), directory, (1116, 4, 1, &[255; 4])],
                "directory index 4294967295 is out of range",
            ),
            (
                &[(1117, 8, 100, &many[..100]), (1118, 8, 1, &long), (1116, 4, 100, &many)],
                "the paths are too long for the header",
            ),
        ];
        for (tags, want) in cases {
            let bytes = header(&[&name[..], tags].concat());
            assert_eq!(package(&bytes).map_or_else(|error| format!("{error:#}"), shown), want);
        }
        let nameless = package(&header(&name[1..])).err().map(|error| error.to_string());
        assert_eq!(nameless.as_deref(), Some("no name"));
    }

    #[test]
    fn truncated_headers_are_errors() {
        let mut headers = Vec::new();
        let keep = |columns: &[Value]| {
            headers.extend(columns.iter().filter_map(|value| match value {
                Value::Blob(header) => Some(header.to_vec()),
                _ => None,
            }));
            Ok(())
        };
        sqlite::for_each_row(DATABASE, "packages", keep).unwrap();
        assert_eq!(headers.len(), 5);
        for header in headers {
            for length in 0..header.len() {
                assert!(package(&header[..length]).is_err(), "the first {length} bytes");
            }
        }
    }
}
