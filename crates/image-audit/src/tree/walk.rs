//! A directory as a tree, walked once in several threads, because most of the time is spent in the kernel.
//!
//! In the running root, file systems of the kernel, of other machines and of container engines are left out.

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

use super::inspect::{Inspected, Inspector};
use super::mounts::{ENGINES, left_out};
use super::{Content, File, Tree};
use crate::bytes::Part;
use crate::coverage::{Coverage, Unreadable};
use crate::elf::Rejected;
use crate::python::PythonNames;

impl Tree {
    /// Walks a directory. What was not reached at the deadline is reported as unreadable.
    pub(crate) fn walk(
        root: &Path,
        inspector: Inspector,
        deadline: Option<Instant>,
    ) -> std::io::Result<Tree> {
        // Not canonicalized: only the kernel can follow /proc/PID/root.
        let root = if is_running(root) { PathBuf::from("/") } else { root.to_owned() };
        // An unreadable root is an error of the caller, not a finding.
        let top = fs::read_dir(&root)?;
        let at = if is_site(&root, top) { SITE } else { "" };
        let skipped = if root == Path::new("/") {
            left_out(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
        } else {
            BTreeSet::new()
        };
        let workers = crate::threads::workers();
        let queue = Queue::new(root.clone(), workers, deadline);
        let parts = thread::scope(|scope| {
            let walk = || Walker::new(&root, at, &skipped, inspector).walk(&queue);
            let mut parts = Vec::new();
            let mut handles = Vec::new();
            for _ in 1..workers {
                match thread::Builder::new().spawn_scoped(scope, walk) {
                    Ok(handle) => handles.push(handle),
                    // If no thread can be started, this one does all the work.
                    Err(_) => queue.remove_walker(),
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
            tree.coverage = tree.coverage.max(part.coverage);
            tree.entries += part.entries;
        }
        tree.files = files.into_iter().collect();
        tree.content = Content::Root { path: root, at };
        let unwalked = queue.unwalked();
        if unwalked > 0 {
            tree.coverage = Coverage::Interrupted;
            let reason =
                format!("{unwalked} directories and all below them were not reached before the deadline");
            tree.unreadable.push(Unreadable::new("/", reason));
        }
        // A dead mount would block whoever looks at it.
        let of_engine = |path: &Path| ENGINES.iter().any(|place| Path::new(place) == path);
        let there = skipped.iter().filter(|path| !of_engine(path) || path.is_dir());
        tree.skipped = there.map(|path| path.to_string_lossy().into_owned()).collect();
        tree.python.sort_by(|a, b| a.0.cmp(&b.0));
        tree.unreadable.sort();
        Ok(tree)
    }
}

/// Directories that any walker may take. A walker keeps its own as long as no other is idle, which saves
/// locking.
struct Queue {
    state: Mutex<Shared>,
    changed: Condvar,
    idle: AtomicUsize,
    deadline: Option<Instant>,
}

struct Shared {
    directories: Vec<PathBuf>,
    busy: usize,
}

impl Queue {
    fn new(root: PathBuf, walkers: usize, deadline: Option<Instant>) -> Self {
        let state = Mutex::new(Shared { directories: vec![root], busy: walkers });
        Queue { state, changed: Condvar::new(), idle: AtomicUsize::new(0), deadline }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.state.lock().expect("no walker panics")
    }

    /// A walker could not be started.
    fn remove_walker(&self) {
        self.lock().busy -= 1;
        self.changed.notify_all();
    }

    fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn unwalked(&self) -> usize {
        self.lock().directories.len()
    }

    /// The next directory of this walker, else of another. None when all are done or time is up.
    fn next(&self, own: &mut Vec<PathBuf>) -> Option<PathBuf> {
        if self.is_late() {
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
            if !self.is_late()
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

    /// Shares all but the last `keep` directories.
    fn share(&self, own: &mut Vec<PathBuf>, keep: usize) {
        let given = own.len().saturating_sub(keep);
        self.lock().directories.extend(own.drain(..given));
        self.changed.notify_all();
    }
}

/// What one walker has found.
struct Walker<'a> {
    root: &'a Path,
    /// Where the root is in the tree; empty if it is the root of a system.
    at: &'static str,
    skipped: &'a BTreeSet<PathBuf>,
    inspector: Inspector,
    files: Vec<(String, File)>,
    links: Vec<(String, String)>,
    python: Vec<(String, PythonNames)>,
    unreadable: Vec<Unreadable>,
    coverage: Coverage,
    entries: u64,
    /// Buffer that files are read into.
    scratch: Vec<u8>,
}

impl<'a> Walker<'a> {
    fn new(root: &'a Path, at: &'static str, skipped: &'a BTreeSet<PathBuf>, inspector: Inspector) -> Self {
        Walker {
            root,
            at,
            skipped,
            inspector,
            files: Vec::new(),
            links: Vec::new(),
            python: Vec::new(),
            unreadable: Vec::new(),
            coverage: Coverage::Complete,
            entries: 0,
            scratch: Vec::new(),
        }
    }

    fn walk(mut self, queue: &Queue) -> Self {
        let mut own = Vec::new();
        while let Some(directory) = queue.next(&mut own) {
            let inside = directory.strip_prefix(self.root).expect("the walk stays inside");
            let prefix = match shown(inside.as_os_str()) {
                inside if inside.is_empty() => self.at.to_owned(),
                inside => format!("{}/{inside}", self.at),
            };
            match fs::read_dir(&directory) {
                Ok(entries) => {
                    for entry in entries {
                        self.entries += 1;
                        let entered = entry.and_then(|entry| self.enter(&entry, &prefix, &mut own));
                        if let Err(error) = entered {
                            self.missed(&format!("{prefix}/"), error.to_string());
                        }
                    }
                }
                Err(error) => self.missed(&format!("{prefix}/"), error.to_string()),
            }
        }
        self
    }

    fn missed(&mut self, path: &str, reason: String) {
        self.unreadable.push(Unreadable::new(path, reason));
        let coverage =
            if path.strip_prefix(self.at) == Some("/") { Coverage::Interrupted } else { Coverage::Partial };
        self.coverage = self.coverage.max(coverage);
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
            match self.inspect(entry, &path, bytes) {
                Ok(Inspected { elf, python }) => {
                    file.elf = elf;
                    if !python.is_empty() {
                        self.python.push((path.clone(), python));
                    }
                }
                // What cannot be read may be a program, and use what it names.
                Err(error) if !error.is::<Rejected>() => self.missed(&path, format!("{error:#}")),
                Err(error) => self.unreadable.push(Unreadable::new(&path, format!("{error:#}"))),
            }
        }
        self.files.push((path, file));
        Ok(())
    }

    fn inspect(&mut self, entry: &DirEntry, path: &str, length: u64) -> anyhow::Result<Inspected> {
        // Does not block if a FIFO has replaced the file.
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(entry.path())?;
        self.inspector.inspect(path, &Part { file: &file, offset: 0, length }, &mut self.scratch)
    }
}

/// Where the packages of a root that is a directory of Python packages are in the tree: there, as in an image, they are
/// known as such.
const SITE: &str = "/site-packages";

/// Whether these are the entries of a directory of Python packages, as `pip install --target` makes one.
/// A system may have packages at its top, too.
fn is_site(root: &Path, mut entries: fs::ReadDir) -> bool {
    entries.any(|entry| entry.is_ok_and(|entry| entry.file_name().as_bytes().ends_with(b".dist-info")))
        && !root.join("usr").is_dir()
}

/// Whether a directory is the root directory of this process.
pub fn is_running(root: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    identity(root).is_some_and(|own| identity(Path::new("/")) == Some(own))
}

/// A name as text. Control characters and invalid UTF-8 are written `\xNN`, so that names stay distinct and
/// cannot send control sequences to a terminal.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Depth;

    /// The paths of the files in a tree with these directories, and one that can be read.
    fn walked(directories: &[&str]) -> (Vec<String>, Tree) {
        let root = tempfile::tempdir().unwrap();
        for directory in directories {
            fs::create_dir_all(root.path().join(directory)).unwrap();
            fs::write(root.path().join(directory).join("METADATA"), "Name: app").unwrap();
        }
        let tree = Tree::walk(root.path(), Inspector { depth: Depth::Headers }, None).unwrap();
        let paths: Vec<String> = tree.files.keys().cloned().collect();
        let texts: Vec<_> = paths.iter().map(|path| tree.read_text(path)).collect();
        assert!(texts.iter().all(|text| text.as_deref() == Some("Name: app")), "{texts:?}");
        (paths, tree)
    }

    #[test]
    fn a_directory_of_python_packages_is_known_as_one() {
        let (paths, tree) = walked(&["app", "app-1.0.dist-info"]);
        assert_eq!(paths, ["/site-packages/app-1.0.dist-info/METADATA", "/site-packages/app/METADATA"]);
        assert!(tree.is_python_site());
        let (paths, tree) = walked(&["app-1.0.dist-info", "usr"]);
        assert_eq!(
            paths,
            ["/app-1.0.dist-info/METADATA", "/usr/METADATA"],
            "packages at the top of a system"
        );
        assert!(!tree.is_python_site());
        assert_eq!(walked(&["opt/site-packages/app-1.0.dist-info"]).0.len(), 1);
    }
}
