//! What an archive is read into, and what a caller supplies to read it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufRead;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;

use crate::coverage::Unreadable;

/// An image as it is in its archive.
#[derive(Debug)]
pub struct Image<T> {
    /// The first of its names.
    pub name: Option<String>,
    /// Such as `linux/amd64`.
    pub platform: String,
    /// What the image runs, and how it was built.
    pub config: Config,
    /// Lowest first.
    pub layers: Vec<Layer<T>>,
    /// What could not be read, with layer and file.
    pub problems: Vec<Unreadable>,
}

/// What the image runs, and how it was built.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    pub env: Vec<String>,
    pub user: String,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    pub working_dir: String,
    /// None if the image has none; `["NONE"]` if it disables that of its base.
    pub healthcheck: Option<Vec<String>>,
    pub labels: BTreeMap<String, String>,
    pub history: Vec<History>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct History {
    pub created_by: String,
    pub comment: String,
    /// The instruction created no layer.
    pub empty_layer: bool,
}

#[derive(Debug)]
pub struct Layer<T> {
    /// Digest of the uncompressed layer, the same in every kind of archive.
    pub digest: String,
    /// The instruction that created it.
    pub created_by: Option<String>,
    /// Size in the archive, compressed or not.
    pub stored_bytes: u64,
    /// In order of the archive; the last entry of a path wins.
    pub entries: Vec<Entry<T>>,
    /// False if the layer is damaged, so that entries are missing.
    pub whole: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry<T> {
    /// Such as `/usr/lib/x`; bytes that are not UTF-8 are written `\xNN`.
    pub path: String,
    pub kind: Kind<T>,
    pub mode: u32,
    pub uid: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind<T> {
    File {
        bytes: u64,
        fact: Option<T>,
    },
    /// A symbolic link with its target as written.
    Link(String),
    /// A hard link with the path of the other name.
    HardLink(String),
    Directory,
    /// Removes the path of lower layers.
    Whiteout,
    /// Removes everything that lower layers have in this directory.
    Opaque,
    /// A device, FIFO or socket.
    Other,
}

/// What a caller wants to know about each regular file. Layers are read in several threads, each with its own
/// scratch buffer.
pub trait Visit: Sync {
    /// Cloned only if an image uses a layer twice.
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
    /// Uncompressed in a file, starting at an offset. Unread parts cost nothing.
    At { file: &'a File, offset: u64 },
    /// A stream; unread bytes are skipped.
    Stream(&'a mut dyn BufRead),
}

/// Where an archive comes from.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    Path(&'a Path),
    Stdin,
}

/// The first twelve digits of a digest.
pub fn short(digest: &str) -> &str {
    let hex = digest.split_once(':').map_or(digest, |(_, hex)| hex);
    hex.get(..12).unwrap_or(hex)
}
