//! Images in archives: `docker save`, OCI archives and OCI layout directories, without a daemon.
//!
//! The manifest gives the order of the layers; every entry of every layer is read. A [`Visit`] decides what
//! the content of a file means, and `overlay.rs` merges the layers. Links are data and are never followed on
//! this machine; nothing is unpacked. Invariant: memory grows with the number of entries, never with a size
//! that an archive claims.

mod choose;
mod coding;
mod documents;
mod header;
mod image;
mod layer;
mod manifest;
pub mod overlay;
mod reference;
mod store;
mod tar;

use std::path::Path;

use anyhow::{Context, Result};

use crate::coverage::Unreadable;
#[cfg(feature = "fuzzing")]
pub use image::Config;
#[cfg(any(test, feature = "fuzzing"))]
pub use image::Entry;
use image::short;
pub use image::{Content, Image, Input, Kind, Layer, Visit};
use store::Store;

/// Whether a path is to be read as an image archive: an OCI layout, or anything that is not a directory.
pub fn is_archive(path: &Path) -> bool {
    if path.is_dir() { store::is_layout(path) } else { path.exists() }
}

/// Reads an image. `wanted` names one if the archive has several.
pub fn open<L: Visit>(input: Input, wanted: Option<&str>, visit: &L) -> Result<Image<L::Fact>> {
    compose(Store::open(input, visit)?, wanted, visit)
}

fn compose<L: Visit>(mut store: Store<L::Fact>, wanted: Option<&str>, visit: &L) -> Result<Image<L::Fact>> {
    let damage = store.damage.as_ref().map(|damage| format!("the archive {damage}"));
    let plan = manifest::plan(&|name| store.document(name), &|name| store.has(name), wanted)
        .with_context(|| damage.clone().unwrap_or_else(|| "the archive cannot be read".to_owned()))?;
    let mut problems: Vec<Unreadable> = damage.map(Unreadable::whole).into_iter().collect();
    let blobs: Vec<&str> = plan.layers.iter().map(|layer| layer.blob.as_str()).collect();
    let contents = store.layers(&blobs, visit);
    let mut layers = Vec::with_capacity(contents.len());
    for (index, (planned, content)) in plan.layers.into_iter().zip(contents).enumerate() {
        let label = format!("layer {index} ({})", short(&planned.digest));
        let resized = planned.bytes.filter(|bytes| *bytes != content.stored_bytes);
        let resized = resized.map(|bytes| format!("has {} bytes instead of {bytes}", content.stored_bytes));
        let whole = content.damage.is_none() && resized.is_none();
        let damage = content.damage.into_iter().chain(resized).map(Unreadable::whole);
        problems.extend(content.problems.into_iter().chain(damage).map(|problem| problem.in_layer(&*label)));
        layers.push(Layer {
            digest: planned.digest,
            created_by: planned.created_by,
            stored_bytes: content.stored_bytes,
            entries: content.entries,
            whole,
        });
    }
    Ok(Image { name: plan.name, platform: plan.platform, config: plan.config, layers, problems })
}

#[cfg(test)]
mod tests;
