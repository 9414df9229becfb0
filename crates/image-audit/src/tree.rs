//! A read-only view of an image's files: one table, whatever they were read from.
//!
//! Paths are those of the image, beginning with `/`. Links are followed inside the root, whatever
//! they point to; nothing leaves it, nothing is executed. `walk.rs` fills the table from a directory,
//! `layers.rs` from an archive; `inspect.rs` says what is looked at in a file.

mod inspect;
mod layers;
mod walk;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::PathBuf;

pub use inspect::Inspector;
pub use layers::Fact;
pub use walk::is_running;

use serde::Serialize;

use super::bytes::Part;
use super::elf::Elf;
use super::python::Source;

/// A regular file.
#[derive(Clone, Debug, Default)]
pub struct File {
    pub bytes: u64,
    /// Hard links are one file.
    pub identity: (u64, u64),
    pub elf: Option<Box<Elf>>,
}

#[derive(Debug, Default)]
pub struct Tree {
    pub files: BTreeMap<String, File>,
    links: HashMap<String, String>,
    content: Content,
    /// Python sources that speak of listed libraries, and how.
    pub python: Vec<(String, Source)>,
    pub entries: u64,
    /// What could not be read, and why.
    pub unreadable: Vec<String>,
    /// Some of that may hold programs: who needs what is not known to the end.
    pub incomplete: bool,
    /// Mount points that were left out.
    pub skipped: Vec<String>,
}

/// A file or a link, as it is listed.
#[derive(Debug, Serialize)]
pub struct Entry {
    pub path: String,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    Bytes(u64),
    Target(String),
}

/// Where the content of files is to be had.
#[derive(Debug)]
enum Content {
    Root(PathBuf),
    /// What was kept of an archive: databases and configuration.
    Kept(HashMap<String, Vec<u8>>),
}

impl Default for Content {
    fn default() -> Self {
        Content::Kept(HashMap::new())
    }
}

/// Links followed one after the other before a loop is assumed, as in the kernel.
const LINKS: u32 = 40;

/// No database of packages is larger.
const LARGEST: u64 = 512 << 20;

/// Threads that look at a tree: one for each processor that this program may use, and four at most. The standard
/// library would look for quotas of cgroups as well, with 8 kB of code.
pub fn workers() -> usize {
    rustix::thread::sched_getaffinity(None).map_or(1, |cores| cores.count() as usize).clamp(1, 4)
}

impl Tree {
    /// The real path of a path of the image: every link followed, `.` and `..` resolved. None where
    /// links go in circles. That something is there is not said.
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

    /// The links to some files, sorted.
    pub fn links_to(&self, files: &BTreeSet<String>) -> HashMap<String, Vec<String>> {
        let mut links: HashMap<String, Vec<String>> = HashMap::new();
        for link in self.links.keys() {
            if let Some(real) = self.resolve(link).filter(|real| files.contains(real)) {
                links.entry(real).or_default().push(link.clone());
            }
        }
        links.values_mut().for_each(|links| links.sort());
        links
    }

    /// Of all regular files, hard links once.
    pub fn bytes(&self) -> u64 {
        let mut seen = HashSet::new();
        self.files.values().filter(|file| seen.insert(file.identity)).map(|file| file.bytes).sum()
    }

    /// The content of a regular file.
    pub fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let bytes = self.beginning(path, LARGEST + 1)?;
        if bytes.len() as u64 > LARGEST {
            return Err(io::Error::other(format!("more than {LARGEST} bytes are too many to read")));
        }
        Ok(bytes)
    }

    /// The first bytes of a regular file.
    pub fn beginning(&self, path: &str, limit: u64) -> io::Result<Vec<u8>> {
        let real = self.resolve(path).ok_or_else(|| io::Error::other("links go in circles"))?;
        // Nothing else is opened: a FIFO would never answer.
        let file = self.files.get(&real).ok_or(io::ErrorKind::NotFound)?;
        match &self.content {
            Content::Root(root) => {
                let opened = fs::File::open(root.join(real.trim_start_matches('/')))?;
                Part { file: &opened, offset: 0, length: file.bytes }.first(limit)
            }
            Content::Kept(files) => {
                let bytes = files.get(&real).ok_or(io::ErrorKind::NotFound)?;
                Ok(bytes[..bytes.len().min(usize::try_from(limit).unwrap_or(usize::MAX))].to_vec())
            }
        }
    }

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

    /// Directories with a file or a link in them, by real path.
    pub fn directories(&self) -> HashSet<String> {
        let paths = self.files.keys().chain(self.links.keys());
        let parents: HashSet<&str> = paths.filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
        parents.into_iter().map(|parent| if parent.is_empty() { "/" } else { parent }.to_owned()).collect()
    }

    /// Regular files directly in a directory, by real path.
    pub fn files_in(&self, directory: &str) -> impl Iterator<Item = &str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn with_links(links: &[(&str, &str)]) -> Tree {
        let links = links.iter().map(|(from, to)| (from.to_string(), to.to_string())).collect();
        Tree { links, ..Tree::default() }
    }

    #[test]
    fn links_are_followed_inside_the_root_alone() {
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
