//! One layer: turns members of a tar into entries of an image.
//!
//! Names become paths, whiteouts are recognized, and contents are passed to the caller's `Visit`. An invalid
//! member is reported and left out. What was read of a truncated tar is kept, and the damage names the last
//! entry.

use std::io::BufReader;

use anyhow::{Error, Result, anyhow, bail};

use super::coding::{self, Coding};
use super::header::{BLOCK, Member};
use super::image::{Content, Entry, Kind, Visit};
use super::tar::{Inside, Section, Source, Stream, Tar};
use crate::coverage::Unreadable;
use crate::paths;

/// Bytes that are read from a file at once.
const BUFFER: usize = 256 << 10;

/// The longest path of Linux.
pub const PATH_MAX: usize = 4096;

/// The content of a blob.
#[derive(Clone, Debug)]
pub struct Contents<T> {
    pub stored_bytes: u64,
    pub entries: Vec<Entry<T>>,
    /// Each with the path that it is about.
    pub problems: Vec<Unreadable>,
    /// Why the rest is missing.
    pub damage: Option<String>,
}

impl<T> Contents<T> {
    pub fn new(stored_bytes: u64) -> Self {
        Contents { stored_bytes, entries: Vec::new(), problems: Vec::new(), damage: None }
    }

    /// A blob that cannot be read at all.
    pub fn broken(damage: String) -> Self {
        Contents { damage: Some(damage), ..Contents::new(0) }
    }
}

/// Reads a layer in a file.
pub fn read_section<L: Visit>(section: Section, visit: &L) -> Contents<L::Fact> {
    let mut contents = Contents::new(section.end.saturating_sub(section.at));
    let mut head = [0; BLOCK];
    match Source::Section(section).fill(&mut head).map(|filled| coding::sniff(&head[..filled])) {
        Ok(Coding::Tar) => Walk::new(&mut contents, visit).walk(Source::Section(section)),
        Ok(coding) => {
            let mut stream = BufReader::with_capacity(BUFFER, section);
            read_coded(&mut stream, coding, visit, &mut contents);
        }
        Err(error) => contents.damage = Some(format!("cannot be read: {error}")),
    }
    contents
}

/// Reads a layer that comes as a stream.
pub fn read_stream<L: Visit>(stream: Stream, bytes: u64, coding: Coding, visit: &L) -> Contents<L::Fact> {
    let mut contents = Contents::new(bytes);
    read_coded(stream, coding, visit, &mut contents);
    contents
}

fn read_coded<L: Visit>(stream: Stream, coding: Coding, visit: &L, contents: &mut Contents<L::Fact>) {
    let read = match coding {
        Coding::Tar => {
            Walk::new(contents, visit).walk(Source::Stream(stream));
            Ok(())
        }
        Coding::Gzip | Coding::Zstd => coding::decompressed(stream, coding, &mut |stream| {
            Walk::new(contents, visit).walk(Source::Stream(stream))
        }),
        Coding::Json | Coding::Unknown => {
            contents.damage = Some("is not a tar archive (plain, gzip or zstd)".to_owned());
            Ok(())
        }
    };
    if let Err(error) = read {
        contents.damage = Some(format!("cannot be decompressed: {error}"));
    }
}

struct Walk<'a, L: Visit> {
    contents: &'a mut Contents<L::Fact>,
    visit: &'a L,
    /// Buffer that files are read into.
    scratch: Vec<u8>,
}

impl<'a, L: Visit> Walk<'a, L> {
    fn new(contents: &'a mut Contents<L::Fact>, visit: &'a L) -> Self {
        Walk { contents, visit, scratch: Vec::new() }
    }

    fn walk(mut self, source: Source) {
        let mut tar = Tar::new(source);
        loop {
            match tar.next() {
                Ok(Some(member)) => {
                    if let Err(error) = self.entry(&member, &mut tar) {
                        self.problem(&shown(&member.name), &error);
                    }
                }
                // A layer of zero bytes is an empty layer.
                Ok(None) if tar.marked || self.contents.stored_bytes == 0 => return,
                Ok(None) => return self.damage(&anyhow!("has no end marker and may be truncated")),
                Err(error) => return self.damage(&error),
            }
        }
    }

    fn damage(&mut self, error: &Error) {
        let entries = &self.contents.entries;
        let last = entries.last().map_or("the start", |entry| &entry.path);
        let damage = format!("is damaged after {last} (entry {}): {error:#}", entries.len());
        self.contents.damage = Some(damage);
    }

    fn problem(&mut self, path: &str, error: &Error) {
        self.contents.problems.push(Unreadable::new(path, format!("{error:#}")));
    }

    fn entry(&mut self, member: &Member, tar: &mut Tar) -> Result<()> {
        let path = image_path(&member.name)?;
        if path == "/" || path.starts_with("/.wh..wh.") && path != "/.wh..wh..opq" {
            // The root always exists; the others are metadata of the AUFS storage driver.
            return Ok(());
        }
        if std::str::from_utf8(&member.name).is_err() {
            self.contents.problems.push(Unreadable::new(&*path, "the name is not UTF-8"));
        }
        let (path, kind) = match whiteout(&path)? {
            Some(whiteout) => whiteout,
            None => {
                let kind = self.kind(member, &path, tar)?;
                (path, kind)
            }
        };
        self.contents.entries.push(Entry { path, kind, mode: member.mode, uid: member.uid });
        Ok(())
    }

    fn kind(&mut self, member: &Member, path: &str, tar: &mut Tar) -> Result<Kind<L::Fact>> {
        Ok(match member.kind {
            b'0' => Kind::File { bytes: member.bytes, fact: self.visit(member, path, tar) },
            b'1' => Kind::HardLink(image_path(&member.link)?),
            b'2' => Kind::Link(shown(&member.link)),
            b'5' => Kind::Directory,
            b'3' | b'4' | b'6' => Kind::Other,
            kind => bail!("unknown entry type {:?}", char::from(kind)),
        })
    }

    fn visit(&mut self, member: &Member, path: &str, tar: &mut Tar) -> Option<L::Fact> {
        if member.sparse {
            let reason = "not inspected because it is stored as a sparse file";
            self.contents.problems.push(Unreadable::new(path, reason));
            return None;
        }
        let (visit, scratch) = (self.visit, &mut self.scratch);
        let fact = match tar.content() {
            // Truncated; the tar reports it.
            Inside::Section(section) if section.end - section.at < member.bytes => return None,
            Inside::Section(section) => {
                let content = Content::At { file: section.file, offset: section.at };
                visit.file(scratch, path, member.mode, member.bytes, content)
            }
            Inside::Part(mut part) => {
                visit.file(scratch, path, member.mode, member.bytes, Content::Stream(&mut part))
            }
        };
        fact.unwrap_or_else(|error| {
            self.problem(path, &error);
            None
        })
    }
}

/// The path that a whiteout removes.
fn whiteout<T>(path: &str) -> Result<Option<(String, Kind<T>)>> {
    let (directory, name) = paths::split(path).unwrap_or_default();
    let Some(removed) = name.strip_prefix(".wh.") else { return Ok(None) };
    Ok(match removed {
        ".wh..opq" if directory.is_empty() => Some(("/".to_owned(), Kind::Opaque)),
        ".wh..opq" => Some((directory.to_owned(), Kind::Opaque)),
        "" | "." | ".." => bail!("is a whiteout without a name"),
        removed => Some((format!("{directory}/{removed}"), Kind::Whiteout)),
    })
}

/// The path in the image of a name in a tar.
pub fn image_path(name: &[u8]) -> Result<String> {
    let mut path = String::new();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => bail!("{} leads out of the image", shown(name)),
            part if part.contains(&0) => bail!("{} contains a NUL byte", shown(name)),
            part => {
                path.push('/');
                path.push_str(&shown(part));
            }
        }
    }
    if name.len() > PATH_MAX {
        bail!("a path of {} bytes is too long", name.len());
    }
    Ok(if path.is_empty() { "/".to_owned() } else { path })
}

/// A name as text, cut to the longest possible path.
fn shown(name: &[u8]) -> String {
    let mut text = String::new();
    for chunk in name[..name.len().min(PATH_MAX)].utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_paths() {
        let cases: [(&[u8], Option<&str>); 9] = [
            (b"usr/lib/x", Some("/usr/lib/x")),
            (b"./usr//lib/./x/", Some("/usr/lib/x")),
            (b"/etc/passwd", Some("/etc/passwd")),
            (b"./", Some("/")),
            (b"", Some("/")),
            (b"..a/b..", Some("/..a/b..")),
            (b"a\xff\xfeb", Some("/a\\xff\\xfeb")),
            (b"a/../b", None),
            (b"a\0b", None),
        ];
        for (name, path) in cases {
            assert_eq!(image_path(name).ok().as_deref(), path, "{}", name.escape_ascii());
        }
        assert!(image_path(&[b'a'; PATH_MAX]).is_ok());
        assert!(image_path(&[b'a'; PATH_MAX + 1]).is_err());
    }

    #[test]
    fn whiteouts_are_recognized_by_name() {
        let removal = |path: &str| whiteout::<()>(path).ok();
        let cases = [
            ("/a/.wh.b", Some(Some(("/a/b".to_owned(), Kind::Whiteout)))),
            ("/.wh.b", Some(Some(("/b".to_owned(), Kind::Whiteout)))),
            ("/a/.wh..wh..opq", Some(Some(("/a".to_owned(), Kind::Opaque)))),
            ("/.wh..wh..opq", Some(Some(("/".to_owned(), Kind::Opaque)))),
            ("/a/wh.b", Some(None)),
            ("/.wh.a/b", Some(None)),
            ("/a/.wh.", None),
            ("/a/.wh..", None),
            ("/a/.wh...", None),
        ];
        for (path, expected) in cases {
            assert_eq!(removal(path), expected, "{path}");
        }
    }
}
