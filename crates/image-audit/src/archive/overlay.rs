//! Merges the layers of an image into the tree that a container sees, and finds what they hide.
//!
//! The rules are those of overlay file systems: a whiteout removes from lower layers only; a directory merges
//! with a directory, everything else replaces; a parent that is a link in a lower layer becomes a directory;
//! links of the same layer are followed inside the root. Invariant: each shipped file is either in the tree,
//! under at least one name, or hidden.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::image::{Entry, Kind, Layer};
use super::layer::PATH_MAX;
use crate::coverage::Unreadable;
use crate::paths;

/// Limit of links followed for one path, as in the kernel.
const LINKS: u32 = 40;

/// Limit of path components followed to a directory, including those of links.
const STEPS: u32 = 256;

/// Limit of the total path length of directories that no layer lists.
const IMPLIED: usize = 64 << 20;

#[derive(Debug)]
pub struct Merged<T> {
    /// By path, without whiteouts and the root, with directories that no layer lists.
    pub nodes: BTreeMap<String, Node<T>>,
    pub hidden: Vec<Hidden>,
    pub problems: Vec<Unreadable>,
}

/// What a container sees at a path.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<T> {
    /// Index of its layer.
    pub layer: usize,
    pub kind: Kind<T>,
    pub mode: u32,
    pub uid: u64,
}

/// A file that is shipped but not visible in a container.
#[derive(Clone, Debug, PartialEq)]
pub struct Hidden {
    pub path: String,
    pub bytes: u64,
    /// Index of the layer that ships it.
    pub layer: usize,
    /// Index of the layer that hides it.
    pub by: usize,
    pub how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Deleted,
    Overwritten,
}

/// Merges the layers, lowest first, and takes their entries.
pub fn merge<T>(layers: &mut [Layer<T>]) -> Merged<T> {
    let merged = Merged { nodes: BTreeMap::new(), hidden: Vec::new(), problems: Vec::new() };
    let mut merge = Merge { merged, files: Vec::new(), file_of: HashMap::new(), parent: None, implied: 0 };
    for (index, layer) in layers.iter_mut().enumerate() {
        // Whiteouts affect lower layers only, wherever they are in the layer.
        let is_removal = |entry: &Entry<T>| matches!(entry.kind, Kind::Whiteout | Kind::Opaque);
        for entry in layer.entries.iter().filter(|entry| is_removal(entry)) {
            merge.take_away(index, entry);
        }
        for entry in std::mem::take(&mut layer.entries) {
            if !is_removal(&entry) {
                merge.add(index, entry);
            }
        }
        merge.parent = None;
    }
    merge.finish()
}

/// A file with several names.
struct Shared {
    /// The name whose node has the content.
    first: String,
    others: BTreeSet<String>,
}

struct Merge<T> {
    merged: Merged<T>,
    files: Vec<Shared>,
    /// Index in `files` by name.
    file_of: HashMap<String, usize>,
    /// The directory of the last entry, as written and resolved.
    parent: Option<(String, String)>,
    /// Total path length of directories that no layer lists.
    implied: usize,
}

impl<T> Merge<T> {
    fn take_away(&mut self, layer: usize, entry: &Entry<T>) {
        let opaque = matches!(entry.kind, Kind::Opaque);
        let parent = paths::directory(&entry.path);
        let directory = if opaque { entry.path.trim_end_matches('/') } else { parent };
        if !self.establish(layer, directory) {
            return self.problem(layer, &entry.path, "too many directories that no layer lists");
        }
        if opaque {
            self.hide_below(directory, layer, How::Deleted);
        } else {
            self.hide(&entry.path, layer, How::Deleted);
        }
    }

    fn add(&mut self, layer: usize, entry: Entry<T>) {
        let Entry { path, mut kind, mode, uid } = entry;
        let path = match self.place(layer, path) {
            Ok(path) => path,
            Err(path) => {
                return self.problem(
                    layer,
                    &path,
                    "its directory is nested too deeply, or its links form a loop",
                );
            }
        };
        let target = match &kind {
            Kind::HardLink(target) => target
                .rsplit_once('/')
                .and_then(|(directory, name)| Some(format!("{}/{name}", self.resolve(layer, directory)?))),
            _ => None,
        };
        if target.as_ref() == Some(&path) {
            return self.problem(layer, &path, "hard link to itself");
        }
        let is_directory = |kind: &Kind<T>| matches!(kind, Kind::Directory);
        match self.merged.nodes.get(&path) {
            Some(old) if is_directory(&old.kind) && is_directory(&kind) => {}
            Some(_) => self.hide(&path, layer, How::Overwritten),
            None => {}
        }
        if let Kind::HardLink(written) = &kind {
            match target.and_then(|target| self.linked(target, &path)) {
                Some(linked) => kind = linked,
                None => {
                    let what = format!("hard link to {written}, which does not exist");
                    return self.problem(layer, &path, &what);
                }
            }
        }
        if matches!(kind, Kind::Link(_)) {
            self.parent = None;
        }
        self.merged.nodes.insert(path, Node { layer, kind, mode, uid });
    }

    fn problem(&mut self, layer: usize, path: &str, what: &str) {
        self.merged.problems.push(Unreadable::new(path, what).in_layer(format!("layer {layer}")));
    }

    /// The real path of an entry. Returns the path as an error if there is none.
    fn place(&mut self, layer: usize, path: String) -> Result<String, String> {
        let (directory, name) = paths::split(&path).unwrap_or_default();
        if self.parent.as_ref().is_none_or(|(written, _)| written != directory) {
            let real = self.resolve(layer, directory).filter(|real| self.establish(layer, real));
            let Some(real) = real else { return Err(path) };
            self.parent = Some((directory.to_owned(), real));
        }
        Ok(match &self.parent {
            Some((written, real)) if written != real => format!("{real}/{name}"),
            _ => path,
        })
    }

    /// The real path of a directory. Only links of the same layer are followed, because those of lower layers
    /// are not visible while a layer is unpacked. None if links form a loop.
    fn resolve(&self, layer: usize, directory: &str) -> Option<String> {
        let mut todo: Vec<&str> = directory.split('/').rev().collect();
        let mut real = String::new();
        let (mut followed, mut steps) = (0, 0);
        while let Some(part) = todo.pop() {
            match part {
                "" | "." => {}
                ".." => real.truncate(real.rfind('/').unwrap_or(0)),
                part => {
                    let parent = real.len();
                    real.push('/');
                    real.push_str(part);
                    if let Some(Node { layer: from, kind: Kind::Link(target), .. }) =
                        self.merged.nodes.get(&real)
                        && *from == layer
                    {
                        followed += 1;
                        real.truncate(if target.starts_with('/') { 0 } else { parent });
                        todo.extend(target.split('/').rev());
                    }
                }
            }
            steps += 1;
            if followed > LINKS || steps > STEPS || real.len() > PATH_MAX {
                return None;
            }
        }
        Some(real)
    }

    /// Makes a path and its parents directories. False if there are too many.
    fn establish(&mut self, layer: usize, directory: &str) -> bool {
        let ends = directory.match_indices('/').map(|(end, _)| end).chain([directory.len()]);
        for end in ends.filter(|end| *end > 0) {
            let path = &directory[..end];
            match self.merged.nodes.get(path) {
                Some(Node { kind: Kind::Directory, .. }) => continue,
                Some(_) => self.hide(path, layer, How::Overwritten),
                None => {}
            }
            self.implied += path.len();
            if self.implied > IMPLIED {
                return false;
            }
            let node = Node { layer, kind: Kind::Directory, mode: 0o755, uid: 0 };
            self.merged.nodes.insert(path.to_owned(), node);
        }
        true
    }

    /// The node of a hard link. None if its target does not exist.
    fn linked(&mut self, target: String, path: &str) -> Option<Kind<T>> {
        Some(match &self.merged.nodes.get(&target)?.kind {
            Kind::Link(text) => Kind::Link(text.clone()),
            Kind::Other => Kind::Other,
            Kind::File { .. } | Kind::HardLink(_) => {
                let file = *self.file_of.entry(target.clone()).or_insert_with(|| {
                    self.files.push(Shared { first: target.clone(), others: BTreeSet::new() });
                    self.files.len() - 1
                });
                self.files[file].others.insert(path.to_owned());
                self.file_of.insert(path.to_owned(), file);
                Kind::HardLink(target)
            }
            Kind::Directory | Kind::Whiteout | Kind::Opaque => return None,
        })
    }

    /// Hides a path and everything below it.
    fn hide(&mut self, path: &str, by: usize, how: How) {
        self.hide_below(path, by, how);
        self.hide_one(path, by, how);
    }

    fn hide_below(&mut self, directory: &str, by: usize, how: How) {
        self.parent = None;
        // All paths that begin with the directory and a slash; `0` comes after the slash.
        let below = self.merged.nodes.range(format!("{directory}/")..format!("{directory}0"));
        let below: Vec<String> = below.map(|(path, _)| path.clone()).collect();
        for path in below {
            self.hide_one(&path, by, how);
        }
    }

    fn hide_one(&mut self, path: &str, by: usize, how: How) {
        let Some(Node { layer, kind, .. }) = self.merged.nodes.remove(path) else { return };
        let shared = self.file_of.remove(path).and_then(|file| self.files.get_mut(file));
        match (kind, shared) {
            (Kind::HardLink(_), Some(shared)) => drop(shared.others.remove(path)),
            (kind @ Kind::File { .. }, Some(Shared { first, others })) if !others.is_empty() => {
                // The content lives on under the next name.
                *first = others.pop_first().unwrap_or_default();
                if let Some(node) = self.merged.nodes.get_mut(first) {
                    node.kind = kind;
                }
            }
            (Kind::File { bytes, .. }, _) => {
                self.merged.hidden.push(Hidden { path: path.to_owned(), bytes, layer, by, how });
            }
            _ => {}
        }
    }

    /// Points hard links at the name that has the content now.
    fn finish(mut self) -> Merged<T> {
        for (path, node) in &mut self.merged.nodes {
            if let Kind::HardLink(target) = &mut node.kind
                && let Some(file) = self.file_of.get(path)
            {
                target.clone_from(&self.files[*file].first);
            }
        }
        self.merged
    }
}

#[cfg(test)]
mod tests;
