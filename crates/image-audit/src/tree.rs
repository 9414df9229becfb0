//! A read-only view of the files of an image, read from a directory or an archive.
//!
//! Paths are those inside the image and begin with `/`. Links are followed inside the root only; nothing is
//! executed.

pub(crate) mod inspect;
pub(crate) mod layers;
mod mounts;
mod walk;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use inspect::Inspector;
pub use walk::is_running;

use serde::Serialize;

use crate::bytes::Part;
use crate::coverage::{Coverage, Unreadable};
use crate::elf::{self, Elf};
use crate::paths;
use crate::python::PythonNames;

/// A regular file.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// Its size.
    pub bytes: u64,
    /// Device and inode, or an equivalent: the same for all hard links.
    pub identity: (u64, u64),
    /// What the loader sees, if it is a 64-bit ELF file.
    pub elf: Option<Box<Elf>>,
}

/// The files and links of an image.
#[derive(Debug, Default)]
pub struct Tree {
    /// Regular files by real path.
    pub files: BTreeMap<String, File>,
    links: HashMap<String, String>,
    content: Content,
    /// Python sources that name CUDA libraries.
    pub(crate) python: Vec<(String, PythonNames)>,
    /// Files, links and directories that were listed.
    pub entries: u64,
    /// What could not be read, and why.
    pub unreadable: Vec<Unreadable>,
    /// How much was read.
    pub coverage: Coverage,
    /// Mount points that were left out.
    pub skipped: Vec<String>,
}

/// A file or link of a listing.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// Path inside the image.
    pub path: String,
    /// Its size or target.
    #[serde(flatten)]
    pub what: What,
}

/// What a listing shows of an entry.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Size of a file.
    Bytes(u64),
    /// Target of a symbolic link.
    Target(String),
}

/// Where the content of files can be read.
#[derive(Debug)]
enum Content {
    /// Below a directory, which is at a path of the tree.
    Root { path: PathBuf, at: &'static str },
    /// What was kept of an archive: package databases and configuration.
    Kept(HashMap<String, Vec<u8>>),
}

impl Default for Content {
    fn default() -> Self {
        Content::Kept(HashMap::new())
    }
}

/// Limit of links followed for one path, as in the kernel.
const LINKS: u32 = 40;

/// No package database is larger.
const LARGEST: u64 = 512 << 20;

impl Tree {
    /// The real path of a path: every link followed, `.` and `..` resolved. None if links form a loop. There
    /// may be nothing at the real path.
    pub fn resolve(&self, path: &str) -> Option<String> {
        let mut todo: Vec<&str> = path.split('/').rev().collect();
        let mut real = String::new();
        let mut followed = 0;
        while let Some(part) = todo.pop() {
            match part {
                "" | "." => {}
                ".." => real.truncate(real.rfind('/').unwrap_or(0)),
                part => {
                    let parent = real.len();
                    real.push('/');
                    real.push_str(part);
                    if let Some(target) = self.links.get(&real) {
                        followed += 1;
                        if followed > LINKS {
                            return None;
                        }
                        real.truncate(if target.starts_with('/') { 0 } else { parent });
                        todo.extend(target.split('/').rev());
                    }
                }
            }
        }
        if real.is_empty() {
            real.push('/');
        }
        Some(real)
    }

    /// The file at a path, and its real path.
    pub fn file(&self, path: &str) -> Option<(String, &File)> {
        let real = self.resolve(path)?;
        let file = self.files.get(&real)?;
        Some((real, file))
    }

    /// Symbolic links, with the real paths that they lead to if those are wanted.
    pub(crate) fn links_to(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let found = |link: &String| Some((link.clone(), self.resolve(link).filter(|real| wanted(real))?));
        self.links.keys().filter_map(found).collect()
    }

    /// Symbolic links of these paths that lead to no file, with the paths that they lead to.
    pub(crate) fn dangling(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let links = self.links.keys().filter(|link| wanted(link));
        let found = |link: &String| {
            Some((link.clone(), self.resolve(link).filter(|real| !self.files.contains_key(real))?))
        };
        links.filter_map(found).collect()
    }

    /// Total size of all regular files; a file with several hard links counts once.
    pub fn bytes(&self) -> u64 {
        let mut seen = HashSet::new();
        self.files.values().filter(|file| seen.insert(file.identity)).map(|file| file.bytes).sum()
    }

    /// Whether the root is a directory of Python packages, which are below `/site-packages` in the tree.
    pub fn is_python_site(&self) -> bool {
        matches!(self.content, Content::Root { at, .. } if !at.is_empty())
    }

    /// The content of a regular file.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let bytes = self.read_start(path, LARGEST + 1)?;
        if bytes.len() as u64 > LARGEST {
            return Err(io::Error::other(format!("larger than the limit of {LARGEST} bytes")));
        }
        Ok(bytes)
    }

    /// The first bytes of a regular file.
    pub fn read_start(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let real = self.resolve(path).ok_or_else(|| io::Error::other("links form a loop"))?;
        // Opening a FIFO would block.
        let file = self.files.get(&real).ok_or(io::ErrorKind::NotFound)?;
        match &self.content {
            Content::Root { path, at } => {
                let opened = fs::File::open(on_disk(path, at, &real))?;
                Part { file: &opened, offset: 0, length: file.bytes }.first(limit)
            }
            Content::Kept(files) => {
                let bytes = files.get(&real).ok_or(io::ErrorKind::NotFound)?;
                Ok(bytes[..bytes.len().min(usize::try_from(limit).unwrap_or(usize::MAX))].to_vec())
            }
        }
    }

    /// Pieces of names in the code of an object. Archives are searched while they are read, directories here.
    pub(crate) fn pieces(&self, path: &str) -> Vec<String> {
        let Some(file) = self.files.get(path) else { return Vec::new() };
        let Content::Root { path: root, at } = &self.content else {
            return file.elf.as_ref().map(|elf| elf.pieces.clone()).unwrap_or_default();
        };
        let read = || -> anyhow::Result<Vec<String>> {
            let opened = fs::File::open(on_disk(root, at, path))?;
            elf::pieces(&Part { file: &opened, offset: 0, length: file.bytes }, &mut Vec::new())
        };
        // It was readable a moment ago.
        read().unwrap_or_default()
    }

    /// The content of a regular file as text; invalid UTF-8 is replaced. None if it cannot be read.
    pub fn read_text(&self, path: &str) -> Option<String> {
        self.read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// All files and links, by path.
    pub fn listing(&self) -> Vec<Entry> {
        let files = self.files.iter().map(|(path, file)| (path, What::Bytes(file.bytes)));
        let links = self.links.iter().map(|(path, target)| (path, What::Target(target.clone())));
        let mut list: Vec<Entry> =
            files.chain(links).map(|(path, what)| Entry { path: path.clone(), what }).collect();
        list.sort_by(|a, b| a.path.cmp(&b.path));
        list
    }

    /// Directories that contain a file or link, by real path.
    pub(crate) fn directories(&self) -> HashSet<String> {
        let paths = self.files.keys().chain(self.links.keys());
        let parents: HashSet<&str> = paths.filter_map(|path| Some(paths::split(path)?.0)).collect();
        parents.into_iter().map(|parent| if parent.is_empty() { "/" } else { parent }.to_owned()).collect()
    }

    /// Regular files directly in a directory, by real path.
    pub(crate) fn files_in(&self, directory: &str) -> impl Iterator<Item = &str> {
        let prefix = self.resolve(directory).map(|real| format!("{}/", real.trim_end_matches('/')));
        let below = prefix.into_iter().flat_map(|prefix| {
            let range = self.files.range(prefix.clone()..);
            range
                .map(|(path, _)| path.as_str())
                .map_while(move |path| path.strip_prefix(&prefix).map(|name| (path, name)))
        });
        below.filter(|(_, name)| !name.contains('/')).map(|(path, _)| path)
    }
}

fn on_disk(root: &Path, at: &str, path: &str) -> PathBuf {
    root.join(path.strip_prefix(at).unwrap_or(path).trim_start_matches('/'))
}

#[cfg(test)]
impl Tree {
    /// A tree without content.
    pub(crate) fn with(
        files: impl Iterator<Item = (String, File)>,
        links: impl Iterator<Item = (String, String)>,
    ) -> Tree {
        Tree { files: files.collect(), links: links.collect(), ..Tree::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_links(links: &[(&str, &str)]) -> Tree {
        let links = links.iter().map(|(from, to)| (from.to_string(), to.to_string())).collect();
        Tree { links, ..Tree::default() }
    }

    #[test]
    fn links_stay_inside_the_root() {
        let tree = with_links(&[
            ("/lib", "usr/lib"),
            ("/usr/local/cuda", "/usr/local/cuda-12"),
            ("/usr/lib/out", "../../../../../etc"),
            ("/a", "b"),
            ("/b", "a"),
        ]);
        let cases = [
            ("/lib/x.so", "/usr/lib/x.so"),
            ("/usr/local/cuda/lib64/../lib", "/usr/local/cuda-12/lib"),
            ("/usr/lib/out/passwd", "/etc/passwd"),
            ("/../../x", "/x"),
            ("//lib/./y", "/usr/lib/y"),
            ("", "/"),
        ];
        for (path, real) in cases {
            assert_eq!(tree.resolve(path).as_deref(), Some(real), "{path}");
        }
        assert_eq!(tree.resolve("/a/x"), None);
    }
}
