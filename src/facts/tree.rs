//! A read-only view of an image's files: a table of what matters, made in one walk of a root.
//!
//! Paths are those of the image, beginning with `/`. Links are followed inside the root, whatever
//! they point to; nothing leaves it, nothing is executed. Kernel file systems and those of other
//! machines are left out, and what could not be read is listed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, DirEntry};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use super::catalogue::TOOLS;
use super::elf::{self, Elf};
use super::python;

/// A regular file that may matter: a program, a library, or a mark of a tool.
#[derive(Clone, Debug)]
pub struct File {
    pub bytes: u64,
    /// Device and inode: hard links are one file.
    pub identity: (u64, u64),
    pub elf: Option<Elf>,
}

#[derive(Debug, Default)]
pub struct Tree {
    root: PathBuf,
    pub files: BTreeMap<String, File>,
    links: HashMap<String, String>,
    /// `*.dist-info` directories.
    pub dist_infos: Vec<String>,
    /// Python sources that load listed libraries by name, and the stems of those names.
    pub python: Vec<(String, Vec<String>)>,
    pub entries: u64,
    /// What could not be read, and why.
    pub unreadable: Vec<String>,
    /// Mount points that were left out.
    pub skipped: Vec<String>,
}

/// Text and data that are never programs: not worth a look at their mode.
const DATA: [&str; 24] = [
    "py", "pyc", "pyi", "h", "hpp", "cuh", "c", "cpp", "txt", "md", "rst", "json", "html", "css", "js",
    "png", "svg", "gz", "xz", "a", "list", "md5sums", "mo", "cmake",
];

/// File systems without files of the image.
const FOREIGN: [&str; 24] = [
    "proc",
    "sysfs",
    "devtmpfs",
    "devpts",
    "cgroup",
    "cgroup2",
    "mqueue",
    "securityfs",
    "debugfs",
    "tracefs",
    "bpf",
    "fusectl",
    "pstore",
    "hugetlbfs",
    "autofs",
    "configfs",
    "efivarfs",
    "binfmt_misc",
    "nfs",
    "nfs4",
    "cifs",
    "ceph",
    "lustre",
    "fuse.sshfs",
];

/// Links followed one after the other before a loop is assumed, as in the kernel.
const LINKS: u32 = 40;

impl Tree {
    /// Walks the root on all cores: what costs is waiting for the kernel. What has not been reached at
    /// the end is listed as not read.
    pub fn walk(root: &Path, end: Instant) -> std::io::Result<Tree> {
        let root = root.canonicalize()?;
        // A root that cannot be listed is an error of the call, not a finding about the image.
        fs::read_dir(&root)?;
        let skipped: BTreeSet<PathBuf> =
            if root == Path::new("/") { foreign_mounts() } else { BTreeSet::new() };
        let workers = thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
        let queue = Queue::new(root.clone(), workers, end);
        let parts = thread::scope(|scope| {
            let work = || scope.spawn(|| Part::collect(&queue, &root, &skipped));
            let handles: Vec<_> = (0..workers).map(|_| work()).collect();
            handles
                .into_iter()
                .map(|handle| handle.join().expect("a walker does not panic"))
                .collect::<Vec<_>>()
        });
        let mut tree = Tree { root, ..Tree::default() };
        for part in parts {
            tree.files.extend(part.files);
            tree.links.extend(part.links);
            tree.dist_infos.extend(part.dist_infos);
            tree.python.extend(part.python);
            tree.unreadable.extend(part.unreadable);
            tree.entries += part.entries;
        }
        let unwalked = queue.unwalked();
        if unwalked > 0 {
            tree.unreadable.push(format!(
                "/: {unwalked} directories and all below them were not reached before the deadline"
            ));
        }
        tree.skipped = skipped.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        tree.dist_infos.sort();
        tree.python.sort();
        tree.unreadable.sort();
        Ok(tree)
    }

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

    /// The other names of a file: links to it.
    pub fn links_to(&self, real: &str) -> Vec<String> {
        let name = real.rsplit('/').next().unwrap_or(real);
        let stem = name.split(".so").next().unwrap_or(name);
        // Only names that begin alike are asked: the others cannot be names of this library.
        let alike = |link: &&String| link.rsplit('/').next().is_some_and(|name| name.starts_with(stem));
        let mut links: Vec<String> = self
            .links
            .keys()
            .filter(alike)
            .filter(|link| self.resolve(link).as_deref() == Some(real))
            .cloned()
            .collect();
        links.sort();
        links
    }

    pub fn read(&self, path: &str) -> std::io::Result<Vec<u8>> {
        let real = self.resolve(path).ok_or_else(|| std::io::Error::other("links go in circles"))?;
        fs::read(self.root.join(real.trim_start_matches('/')))
    }

    pub fn read_text(&self, path: &str) -> Option<String> {
        self.read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Names in a directory, sorted; none where there is no such directory.
    pub fn list(&self, directory: &str) -> Vec<String> {
        let Some(real) = self.resolve(directory) else { return Vec::new() };
        let entries =
            fs::read_dir(self.root.join(real.trim_start_matches('/'))).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// Directories that any walker may take. Each walker keeps what it finds to itself as long as no other
/// one is idle: the lock is then taken once for many directories.
struct Queue {
    state: Mutex<Shared>,
    changed: Condvar,
    idle: AtomicUsize,
    end: Instant,
}

struct Shared {
    directories: Vec<PathBuf>,
    busy: usize,
}

impl Queue {
    fn new(root: PathBuf, walkers: usize, end: Instant) -> Self {
        let state = Mutex::new(Shared { directories: vec![root], busy: walkers });
        Queue { state, changed: Condvar::new(), idle: AtomicUsize::new(0), end }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.state.lock().expect("no walker panics")
    }

    fn unwalked(&self) -> usize {
        self.lock().directories.len()
    }

    /// The next directory of this walker, else of another; none when all are done and nobody can add
    /// one, or when time is up.
    fn next(&self, own: &mut Vec<PathBuf>) -> Option<PathBuf> {
        if Instant::now() >= self.end {
            self.share(own, 0);
            self.lock().busy -= 1;
            self.changed.notify_all();
            return None;
        }
        if own.len() > 1 && self.idle.load(Relaxed) > 0 {
            self.share(own, own.len() / 2);
        }
        if let Some(directory) = own.pop() {
            return Some(directory);
        }
        let mut state = self.lock();
        state.busy -= 1;
        self.idle.fetch_add(1, Relaxed);
        let next = loop {
            if Instant::now() < self.end
                && let Some(directory) = state.directories.pop()
            {
                state.busy += 1;
                break Some(directory);
            }
            if state.busy == 0 {
                self.changed.notify_all();
                break None;
            }
            state = self.changed.wait(state).expect("no walker panics");
        };
        self.idle.fetch_sub(1, Relaxed);
        next
    }

    /// Gives away all but the last `keep` directories.
    fn share(&self, own: &mut Vec<PathBuf>, keep: usize) {
        let given = own.len().saturating_sub(keep);
        self.lock().directories.extend(own.drain(..given));
        self.changed.notify_all();
    }
}

/// What one walker has found.
#[derive(Default)]
struct Part {
    files: Vec<(String, File)>,
    links: Vec<(String, String)>,
    dist_infos: Vec<String>,
    python: Vec<(String, Vec<String>)>,
    unreadable: Vec<String>,
    entries: u64,
    /// What files are read into.
    scratch: Vec<u8>,
}

impl Part {
    fn collect(queue: &Queue, root: &Path, skipped: &BTreeSet<PathBuf>) -> Part {
        let mut part = Part::default();
        let mut own = Vec::new();
        while let Some(directory) = queue.next(&mut own) {
            let inside = directory.strip_prefix(root).expect("the walk stays inside").to_string_lossy();
            let prefix = if inside.is_empty() { String::new() } else { format!("/{inside}") };
            match fs::read_dir(&directory) {
                Ok(entries) => {
                    for entry in entries.flatten() {
                        part.entries += 1;
                        part.look(&entry, &prefix, skipped, &mut own);
                    }
                }
                Err(error) => part.unreadable.push(format!("{prefix}/: {error}")),
            }
        }
        part
    }

    fn look(
        &mut self,
        entry: &DirEntry,
        prefix: &str,
        skipped: &BTreeSet<PathBuf>,
        found: &mut Vec<PathBuf>,
    ) {
        let Ok(kind) = entry.file_type() else { return };
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = || format!("{prefix}/{name}");
        if kind.is_dir() {
            if skipped.contains(&entry.path()) {
                return;
            }
            if name.ends_with(".dist-info") {
                self.dist_infos.push(path());
            } else {
                found.push(entry.path());
            }
        } else if kind.is_symlink() {
            if let Ok(target) = fs::read_link(entry.path()) {
                self.links.push((path(), target.to_string_lossy().into_owned()));
            }
        } else if kind.is_file() {
            self.look_at_file(entry, &name, path());
        }
    }

    fn look_at_file(&mut self, entry: &DirEntry, name: &str, path: String) {
        let mark = TOOLS.iter().flat_map(|tool| tool.marks).any(|mark| path.ends_with(mark));
        let library = name.contains(".so");
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        if extension == Some("py") {
            // A source that cannot be read loads nothing that could be seen.
            let stems = python::stems_of(&entry.path(), &mut self.scratch).unwrap_or_default();
            if !stems.is_empty() {
                self.python.push((path, stems));
            }
            return;
        }
        if !mark && !library && extension.is_some_and(|extension| DATA.contains(&extension)) {
            return;
        }
        let Ok(metadata) = entry.metadata() else { return };
        if !mark && !library && metadata.permissions().mode() & 0o111 == 0 {
            return;
        }
        let elf = match elf::read(&entry.path(), metadata.len(), &mut self.scratch) {
            Ok(elf) => elf,
            Err(error) => {
                self.unreadable.push(format!("{path}: {error:#}"));
                None
            }
        };
        if elf.is_some() || mark || library {
            let identity = (metadata.dev(), metadata.ino());
            self.files.push((path, File { bytes: metadata.len(), identity, elf }));
        }
    }
}

fn foreign_mounts() -> BTreeSet<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let foreign = text.lines().filter_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let kind = kind.split(' ').next()?;
        FOREIGN.contains(&kind).then(|| PathBuf::from(place.split(' ').nth(4).unwrap_or_default()))
    });
    // Without a mount table the usual places are left out all the same.
    foreign.chain(["/proc", "/sys", "/dev"].map(PathBuf::from)).collect()
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
