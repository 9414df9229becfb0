//! An image archive as a tree. Programs are inspected while the archive is read.

use anyhow::Result;

use super::inspect::{Inspected, Inspector, is_data, is_source};
use super::{Content, File, Tree};
use crate::archive::overlay::{self, Hidden};
use crate::archive::{self, Image, Kind, Visit};
use crate::bytes::{Kept, Part};
use crate::coverage::{Coverage, Unreadable};
use crate::packages::places;
use crate::secrets::files as secrets;
use crate::{elf, python};

/// What is known about one file.
#[derive(Clone, Debug, Default)]
pub struct Fact {
    inspected: Inspected,
    kept: Option<Vec<u8>>,
}

/// Bytes kept of a file that may hold a secret.
const SECRET: u64 = secrets::LIMIT as u64;

impl Visit for Inspector {
    type Fact = Fact;

    fn file(
        &self,
        scratch: &mut Vec<u8>,
        path: &str,
        mode: u32,
        bytes: u64,
        content: archive::Content,
    ) -> Result<Option<Fact>> {
        let kept = if bytes == 0 { None } else { kept(path, bytes) };
        if kept.is_none() && !self.wants(path, mode, bytes) {
            return Ok(None);
        }
        match content {
            archive::Content::At { file, offset } => {
                let part = Part { file, offset, length: bytes };
                let kept = kept.map(|limit| part.first(limit)).transpose()?;
                let inspected = if self.wants(path, mode, bytes) {
                    self.inspect(path, &part, scratch)?
                } else {
                    Inspected::default()
                };
                Ok(Some(Fact { inspected, kept }))
            }
            archive::Content::Stream(stream) => {
                if let Some(limit) = kept {
                    let mut kept = Vec::new();
                    std::io::Read::read_to_end(&mut std::io::Read::take(stream, limit), &mut kept)?;
                    return Ok(Some(Fact { inspected: Inspected::default(), kept: Some(kept) }));
                }
                let wanted: fn(&[u8]) -> bool = if is_source(path) || is_data(path) {
                    |_: &[u8]| true
                } else {
                    |head: &[u8]| elf::is_elf(head) || python::is_script(head)
                };
                let Some(file) = Kept::read(stream, bytes, wanted)? else { return Ok(None) };
                Ok(Some(Fact { inspected: self.inspect(path, &file, scratch)?, kept: None }))
            }
        }
    }
}

/// How many bytes to keep of a package database or configuration file.
fn kept(path: &str, bytes: u64) -> Option<u64> {
    let system =
        matches!(path, "/etc/ld.so.cache" | "/etc/ld.so.preload" | "/etc/os-release" | "/usr/lib/os-release");
    if system || path.starts_with("/etc/ld-musl-") || places::is_database(path) {
        // A larger file is not a database.
        return Some(bytes).filter(|bytes| *bytes <= super::LARGEST);
    }
    secrets::wants(path).then_some(bytes.min(SECRET))
}

/// Names must not send control sequences to a terminal.
fn escaped(path: String) -> String {
    if path.contains(char::is_control) { path.escape_default().to_string() } else { path }
}

impl Tree {
    /// The tree of an image, and the files that its layers hide.
    pub(crate) fn of_image(image: &mut Image<Fact>) -> (Tree, Vec<Hidden>) {
        let merged = overlay::merge(&mut image.layers);
        let problems = std::mem::take(&mut image.problems).into_iter().chain(merged.problems);
        let named = |problem: Unreadable| Unreadable { path: problem.path.map(escaped), ..problem };
        let unreadable: Vec<_> = problems.map(named).collect();
        let coverage = if unreadable.is_empty() { Coverage::Complete } else { Coverage::Partial };
        let mut tree = Tree { unreadable, coverage, ..Tree::default() };
        let (mut kept, mut hard, mut number) = (std::collections::HashMap::new(), Vec::new(), 0);
        for (path, node) in merged.nodes {
            let path = escaped(path);
            tree.entries += 1;
            match node.kind {
                Kind::File { bytes, fact } => {
                    number += 1;
                    let fact = fact.unwrap_or_default();
                    if !fact.inspected.python.is_empty() {
                        tree.python.push((path.clone(), fact.inspected.python));
                    }
                    kept.extend(fact.kept.map(|content| (path.clone(), content)));
                    let file = File { bytes, identity: (node.layer as u64, number), elf: fact.inspected.elf };
                    tree.files.insert(path, file);
                }
                Kind::Link(target) => drop(tree.links.insert(path, target)),
                Kind::HardLink(target) => hard.push((path, target)),
                _ => {}
            }
        }
        for (path, target) in hard {
            if let Some(file) = tree.files.get(&target) {
                let file = file.clone();
                tree.files.insert(path, file);
            }
        }
        tree.content = Content::Kept(kept);
        (tree, merged.hidden)
    }
}
