//! Images in archives: `docker save`, OCI archives and OCI layout directories, without a daemon.
//!
//! Read here: the manifest that orders the layers, the configuration, and every entry of every layer.
//! What a file's content means is the business of a [`Look`]; what the layers make together is
//! composed in `overlay.rs`. Links are data and are never followed on this machine, nothing is
//! extracted. Invariant: memory grows with the number of entries, never with a size that is claimed.

mod choose;
mod coding;
mod documents;
mod header;
mod layer;
mod manifest;
pub mod overlay;
mod store;
mod tar;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufRead;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use store::Store;

/// An image as its archive has it.
#[derive(Debug)]
pub struct Image<T> {
    /// The first of its names, where it has one.
    pub name: Option<String>,
    /// As in `linux/amd64`.
    pub platform: String,
    pub config: Config,
    /// The lowest first.
    pub layers: Vec<Layer<T>>,
    /// What could not be read, each naming its layer and file.
    pub problems: Vec<String>,
}

/// What the image runs, and how it was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub env: Vec<String>,
    pub user: String,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    pub working_dir: String,
    /// None where the image has none; `["NONE"]` where it turns off that of its base.
    pub healthcheck: Option<Vec<String>>,
    pub labels: BTreeMap<String, String>,
    pub history: Vec<History>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct History {
    pub created_by: String,
    pub comment: String,
    /// The instruction made no layer.
    pub empty_layer: bool,
}

#[derive(Debug)]
pub struct Layer<T> {
    /// Of the uncompressed layer, so that it is the same in every kind of archive.
    pub digest: String,
    /// The instruction that made it.
    pub created_by: Option<String>,
    /// As in the archive, compressed or not.
    pub stored_bytes: u64,
    /// In their order; the last of several with one path counts.
    pub entries: Vec<Entry<T>>,
    /// False where the layer is damaged: there is more than `entries`.
    pub whole: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry<T> {
    /// As in `/usr/lib/x`; bytes that are not UTF-8 are written `\xNN`.
    pub path: String,
    pub kind: Kind<T>,
    pub mode: u32,
    pub uid: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind<T> {
    File {
        bytes: u64,
        looked: Option<T>,
    },
    /// Symbolic, with its target as it was written.
    Link(String),
    /// The path of the other name in the image.
    HardLink(String),
    Directory,
    /// The path of lower layers is removed.
    Whiteout,
    /// All that lower layers have in this directory is removed.
    Opaque,
    /// A device, FIFO or socket.
    Other,
}

/// What a caller wants to know of each regular file. Layers may be read in several threads, each with a
/// scratch buffer of its own.
pub trait Look: Sync {
    /// Cloned only where an image uses one layer twice.
    type Fact: Clone + Send + Sync;

    fn file(
        &self,
        scratch: &mut Vec<u8>,
        path: &str,
        mode: u32,
        bytes: u64,
        content: Content,
    ) -> Result<Option<Self::Fact>>;
}

/// The content of a file of a layer.
pub enum Content<'a> {
    /// Uncompressed in a file of this machine, from an offset on: what is not read costs nothing.
    At { file: &'a File, offset: u64 },
    /// As it comes; what is left unread is passed over.
    Stream(&'a mut dyn BufRead),
}

/// Where an archive comes from.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    Path(&'a Path),
    Stdin,
}

/// Whether a path is to be read as an archive: an OCI layout, or anything that is no directory.
pub fn is_archive(path: &Path) -> bool {
    if path.is_dir() { store::is_layout(path) } else { path.exists() }
}

/// Reads an image. `wanted` names one where the archive holds several.
pub fn open<L: Look>(input: Input, wanted: Option<&str>, look: &L) -> Result<Image<L::Fact>> {
    compose(Store::open(input, look)?, wanted, look)
}

fn compose<L: Look>(mut store: Store<L::Fact>, wanted: Option<&str>, look: &L) -> Result<Image<L::Fact>> {
    let mut problems: Vec<String> =
        store.damage.iter().map(|damage| format!("the archive {damage}")).collect();
    let plan =
        manifest::plan(&|name| store.document(name), &|name| store.has(name), wanted).with_context(|| {
            problems.first().cloned().unwrap_or_else(|| "the archive cannot be read".to_owned())
        })?;
    let blobs: Vec<&str> = plan.layers.iter().map(|layer| layer.blob.as_str()).collect();
    let contents = store.layers(&blobs, look);
    let mut layers = Vec::with_capacity(contents.len());
    for (index, (planned, content)) in plan.layers.into_iter().zip(contents).enumerate() {
        let label = format!("layer {index} ({})", short(&planned.digest));
        problems.extend(content.problems.iter().map(|problem| format!("{label} {problem}")));
        let resized = planned.bytes.filter(|bytes| *bytes != content.stored_bytes);
        let resized = resized.map(|bytes| format!("has {} bytes instead of {bytes}", content.stored_bytes));
        problems.extend(content.damage.iter().chain(&resized).map(|damage| format!("{label} {damage}")));
        layers.push(Layer {
            digest: planned.digest,
            created_by: planned.created_by,
            stored_bytes: content.stored_bytes,
            entries: content.entries,
            whole: content.damage.is_none() && resized.is_none(),
        });
    }
    Ok(Image { name: plan.name, platform: plan.platform, config: plan.config, layers, problems })
}

/// A digest as people know it: twelve digits.
fn short(digest: &str) -> &str {
    let hex = digest.split_once(':').map_or(digest, |(_, hex)| hex);
    hex.get(..12).unwrap_or(hex)
}

#[cfg(test)]
mod tests;
