//! An image archive as a tree: what its layers show together. Its programs are looked at as they go by.

use anyhow::Result;

use super::inspect::{Inspector, Looked, is_source};
use super::{Content, File, Tree};
use crate::archive::overlay::{self, Hidden};
use crate::archive::{self, Image, Kind, Look};
use crate::bytes::{Kept, Part};
use crate::{elf, packages, python, secrets};

/// What is known of one file.
#[derive(Clone, Debug, Default)]
pub struct Fact {
    looked: Looked,
    kept: Option<Vec<u8>>,
}

/// Of a file that may hold a secret.
const SECRET: u64 = secrets::LIMIT as u64;

impl Look for Inspector {
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
                let looked = if self.wants(path, mode, bytes) {
                    self.look(path, &part, scratch)?
                } else {
                    Looked::default()
                };
                Ok(Some(Fact { looked, kept }))
            }
            archive::Content::Stream(stream) => {
                if let Some(limit) = kept {
                    let mut kept = Vec::new();
                    std::io::Read::read_to_end(&mut std::io::Read::take(stream, limit), &mut kept)?;
                    return Ok(Some(Fact { looked: Looked::default(), kept: Some(kept) }));
                }
                let worth: fn(&[u8]) -> bool = if is_source(path) {
                    |_: &[u8]| true
                } else {
                    |head: &[u8]| elf::is_elf(head) || python::is_script(head)
                };
                let Some(file) = Kept::read(stream, bytes, worth)? else { return Ok(None) };
                Ok(Some(Fact { looked: self.look(path, &file, scratch)?, kept: None }))
            }
        }
    }
}

/// How much of a file is kept whole, since it is a database or configuration.
fn kept(path: &str, bytes: u64) -> Option<u64> {
    let system =
        matches!(path, "/etc/ld.so.cache" | "/etc/ld.so.preload" | "/etc/os-release" | "/usr/lib/os-release");
    if system || path.starts_with("/etc/ld-musl-") || packages::is_database(path) {
        // A database that is larger is none.
        return Some(bytes).filter(|bytes| *bytes <= super::LARGEST);
    }
    secrets::wants(path).then_some(bytes.min(SECRET))
}

impl Tree {
    /// The tree of an image, and the files that its layers hide.
    pub fn of_image(image: &mut Image<Fact>) -> (Tree, Vec<Hidden>) {
        let merged = overlay::merge(&mut image.layers);
        let mut tree = Tree { unreadable: std::mem::take(&mut image.problems), ..Tree::default() };
        tree.unreadable.extend(merged.problems);
        tree.incomplete = !tree.unreadable.is_empty();
        let (mut kept, mut hard, mut number) = (std::collections::HashMap::new(), Vec::new(), 0);
        for (path, node) in merged.nodes {
            // Nothing in a name is to speak to a terminal.
            let path = if path.contains(char::is_control) { path.escape_default().to_string() } else { path };
            tree.entries += 1;
            match node.kind {
                Kind::File { bytes, looked } => {
                    number += 1;
                    let fact = looked.unwrap_or_default();
                    if !fact.looked.python.is_empty() {
                        tree.python.push((path.clone(), fact.looked.python));
                    }
                    kept.extend(fact.kept.map(|content| (path.clone(), content)));
                    let file = File { bytes, identity: (node.layer as u64, number), elf: fact.looked.elf };
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
