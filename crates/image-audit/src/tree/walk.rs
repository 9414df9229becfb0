//! A directory as a tree: walked once, on all cores, since what costs is waiting for the kernel.
//!
//! Kernel file systems and those of other machines are left out of the running root, and what could
//! not be read is listed.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write;
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use super::inspect::{Inspector, Looked};
use super::{Content, File, Tree};
use crate::bytes::Part;
use crate::python::Source;

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

impl Tree {
    /// What has not been reached at `end` is listed as not read.
    pub fn walk(root: &Path, inspector: Inspector, end: Instant) -> std::io::Result<Tree> {
        // Not made canonical: /proc/PID/root is a link that only the kernel can follow.
        let root = if is_running(root) { PathBuf::from("/") } else { root.to_owned() };
        // A root that cannot be listed is an error of the call, not a finding about the image.
        fs::read_dir(&root)?;
        let skipped: BTreeSet<PathBuf> =
            if root == Path::new("/") { foreign_mounts() } else { BTreeSet::new() };
        let workers = super::workers();
        let queue = Queue::new(root.clone(), workers, end);
        let parts = thread::scope(|scope| {
            let walk = || Walker::new(&root, &skipped, inspector).walk(&queue);
            let mut parts = Vec::new();
            let mut handles = Vec::new();
            for _ in 1..workers {
                match thread::Builder::new().spawn_scoped(scope, walk) {
                    Ok(handle) => handles.push(handle),
                    // Where no more threads may be started, this one does all of it.
                    Err(_) => queue.one_less(),
                }
            }
            parts.push(walk());
            parts.extend(handles.into_iter().map(|handle| handle.join().expect("a walker does not panic")));
            parts
        });
        let mut tree = Tree::default();
        let mut files = Vec::new();
        for part in parts {
            files.extend(part.files);
            tree.links.extend(part.links);
            tree.python.extend(part.python);
            tree.unreadable.extend(part.unreadable);
            tree.incomplete |= part.incomplete;
            tree.entries += part.entries;
        }
        tree.files = files.into_iter().collect();
        tree.content = Content::Root(root);
        let unwalked = queue.unwalked();
        tree.incomplete |= unwalked > 0;
        if unwalked > 0 {
            tree.unreadable.push(format!(
                "/: {unwalked} directories and all below them were not reached before the deadline"
            ));
        }
        tree.skipped = skipped.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        tree.python.sort_by(|a, b| a.0.cmp(&b.0));
        tree.unreadable.sort();
        Ok(tree)
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

    /// A walker that was counted on does not come.
    fn one_less(&self) {
        self.lock().busy -= 1;
        self.changed.notify_all();
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
struct Walker<'a> {
    root: &'a Path,
    skipped: &'a BTreeSet<PathBuf>,
    inspector: Inspector,
    files: Vec<(String, File)>,
    links: Vec<(String, String)>,
    python: Vec<(String, Source)>,
    unreadable: Vec<String>,
    incomplete: bool,
    entries: u64,
    /// What files are read into.
    scratch: Vec<u8>,
}

impl<'a> Walker<'a> {
    fn new(root: &'a Path, skipped: &'a BTreeSet<PathBuf>, inspector: Inspector) -> Self {
        Walker {
            root,
            skipped,
            inspector,
            files: Vec::new(),
            links: Vec::new(),
            python: Vec::new(),
            unreadable: Vec::new(),
            incomplete: false,
            entries: 0,
            scratch: Vec::new(),
        }
    }

    // Called from two places, and large.
    #[inline(never)]
    fn walk(mut self, queue: &Queue) -> Self {
        let mut own = Vec::new();
        while let Some(directory) = queue.next(&mut own) {
            let inside = directory.strip_prefix(self.root).expect("the walk stays inside");
            let prefix = match shown(inside.as_os_str()) {
                inside if inside.is_empty() => String::new(),
                inside => format!("/{inside}"),
            };
            match fs::read_dir(&directory) {
                Ok(entries) => {
                    for entry in entries {
                        self.entries += 1;
                        let entered = entry.and_then(|entry| self.enter(&entry, &prefix, &mut own));
                        if let Err(error) = entered {
                            self.missed(&format!("{prefix}/"), &error);
                        }
                    }
                }
                Err(error) => self.missed(&format!("{prefix}/"), &error),
            }
        }
        self
    }

    fn missed(&mut self, path: &str, error: &io::Error) {
        self.unreadable.push(format!("{path}: {error}"));
        self.incomplete = true;
    }

    fn enter(&mut self, entry: &DirEntry, prefix: &str, found: &mut Vec<PathBuf>) -> io::Result<()> {
        let kind = entry.file_type()?;
        let name = entry.file_name();
        let name = shown(&name);
        let path = format!("{prefix}/{name}");
        if kind.is_dir() {
            if !self.skipped.contains(&entry.path()) {
                found.push(entry.path());
            }
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path())?;
            self.links.push((path, shown(target.as_os_str()).into_owned()));
        } else if kind.is_file() {
            self.enter_file(entry, path)?;
        }
        Ok(())
    }

    fn enter_file(&mut self, entry: &DirEntry, path: String) -> io::Result<()> {
        let metadata = entry.metadata()?;
        let bytes = metadata.len();
        let mut file = File { bytes, identity: (metadata.dev(), metadata.ino()), elf: None };
        if self.inspector.wants(&path, metadata.mode(), bytes) {
            match self.look(entry, &path, bytes) {
                Ok(Looked { elf, python }) => {
                    file.elf = elf;
                    if !python.is_empty() {
                        self.python.push((path.clone(), python));
                    }
                }
                // What cannot be opened may be a program; what is damaged, no loader takes either.
                Err(error) => match error.downcast_ref::<io::Error>() {
                    Some(error) => self.missed(&path, error),
                    None => self.unreadable.push(format!("{path}: {error:#}")),
                },
            }
        }
        self.files.push((path, file));
        Ok(())
    }

    fn look(&mut self, entry: &DirEntry, path: &str, length: u64) -> anyhow::Result<Looked> {
        // Should a FIFO have taken the file's place, opening it does not wait.
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(entry.path())?;
        self.inspector.look(path, &Part { file: &file, offset: 0, length }, &mut self.scratch)
    }
}

/// Whether a directory is the root of this process.
pub fn is_running(root: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    identity(root).is_some_and(|own| identity(Path::new("/")) == Some(own))
}

/// A name as text; bytes that are none are shown as numbers, so that different names stay different and
/// nothing in them speaks to a terminal.
fn shown(name: &OsStr) -> Cow<'_, str> {
    if let Some(text) = name.to_str().filter(|text| !text.contains(char::is_control)) {
        return text.into();
    }
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for letter in chunk.valid().chars() {
            match u32::from(letter) {
                control if letter.is_control() => drop(write!(text, "\\x{control:02x}")),
                _ => text.push(letter),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.into()
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
