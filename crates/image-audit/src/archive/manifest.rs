//! The manifests of an archive: its images, their platforms and layers.
//!
//! Docker's `manifest.json` has priority because it lists what was saved; without one the OCI index is
//! followed. Attestations and artifacts are not images. Invariant: the total size of parsed documents is
//! bounded, even if they refer to each other.

use std::cell::Cell;

use anyhow::{Context, Result, ensure};

use super::choose::{Blob, Candidate, choose};
use super::documents::{Descriptor, DockerImage, Document, ImageDocument, blob_of, parse};
use super::image::{Config, short};
use super::layer::image_path;
use super::reference::familiar;

/// How deep indexes may be nested.
const DEPTH: u32 = 4;

/// Limit of parsed bytes; a smaller document counts as `SMALLEST`.
const PARSED: usize = 256 << 20;
const SMALLEST: usize = 1000;

/// No engine can mount more layers.
const LAYERS: usize = 512;

/// Reads a document of the archive by its name.
pub type Documents<'a> = &'a dyn Fn(&str) -> Result<Option<Vec<u8>>>;

/// Whether a name is in the archive.
pub type Names<'a> = &'a dyn Fn(&str) -> bool;

/// The image to read.
#[derive(Debug)]
pub struct Plan {
    pub name: Option<String>,
    pub platform: String,
    pub config: Config,
    pub layers: Vec<Planned>,
}

#[derive(Debug)]
pub struct Planned {
    /// Its name in the archive.
    pub blob: String,
    pub digest: String,
    /// Size in the archive, if the manifest has it.
    pub bytes: Option<u64>,
    pub created_by: Option<String>,
}

pub fn plan(documents: Documents, names: Names, wanted: Option<&str>) -> Result<Plan> {
    let left = Cell::new(PARSED);
    let documents: Documents = &|name| {
        let document = documents(name)?;
        let cost = document.as_ref().map_or(0, Vec::len).max(SMALLEST);
        left.set(
            left.get()
                .checked_sub(cost)
                .context("too many documents, or documents that refer to each other")?,
        );
        Ok(document)
    };
    let mut candidates = docker(documents)?;
    if candidates.is_empty() {
        oci(documents, "/index.json", &[], DEPTH, &mut candidates)?;
    }
    ensure!(!candidates.is_empty(), "no image found in manifest.json or index.json");
    let chosen = choose(candidates, wanted)?;
    for layer in &chosen.layers {
        let foreign = match layer.urls.as_slice() {
            [] => String::new(),
            urls => format!("; it is a foreign layer, available at {}", urls.join(" ")),
        };
        ensure!(names(&layer.name), "layer {} is not in the archive{foreign}", layer.name);
    }
    compose(chosen)
}

fn docker(documents: Documents) -> Result<Vec<Candidate>> {
    let name = "/manifest.json";
    let Some(document) = documents(name)? else { return Ok(Vec::new()) };
    let images: Vec<DockerImage> = parse(name, &document)?;
    let candidate = |image: DockerImage| {
        let config = image_path(image.config.as_bytes())?;
        let document = documents(&config)?.with_context(|| format!("{config} is not in the archive"))?;
        let parsed: ImageDocument = parse(&config, &document)?;
        let blob =
            |layer: &String| Ok(Blob { name: image_path(layer.as_bytes())?, bytes: None, urls: Vec::new() });
        Ok(Candidate {
            names: image.repo_tags.iter().flatten().map(|name| familiar(name).to_owned()).collect(),
            digest: config,
            platform: parsed.platform(),
            image: parsed,
            layers: image.layers.iter().flatten().map(blob).collect::<Result<_>>()?,
        })
    };
    images.into_iter().map(candidate).collect()
}

/// Follows an index down to the images that are in the archive.
fn oci(
    documents: Documents,
    index: &str,
    named: &[String],
    depth: u32,
    found: &mut Vec<Candidate>,
) -> Result<()> {
    let Some(document) = documents(index)? else { return Ok(()) };
    let document: Document = parse(index, &document)?;
    for descriptor in document.manifests.iter().flatten().filter(|descriptor| !descriptor.is_attestation()) {
        let blob = blob_of(&descriptor.digest)?;
        // An index may list platforms that were not saved.
        let Some(text) = documents(&blob)? else { continue };
        let inner: Document = parse(&blob, &text)?;
        let own: Vec<String> = descriptor.name().into_iter().collect();
        let names = if own.is_empty() { named } else { &own };
        if inner.manifests.is_some() {
            ensure!(depth > 0, "index {blob} is nested too deeply");
            oci(documents, &blob, names, depth - 1, found)?;
        } else {
            found.extend(oci_image(documents, descriptor, inner, names)?);
        }
    }
    Ok(())
}

/// The image of a manifest; None for an artifact.
fn oci_image(
    documents: Documents,
    descriptor: &Descriptor,
    manifest: Document,
    names: &[String],
) -> Result<Option<Candidate>> {
    let Some(config) = &manifest.config else { return Ok(None) };
    let name = blob_of(&config.digest)?;
    let image = documents(&name)
        .and_then(|document| document.map(|document| parse::<ImageDocument>(&name, &document)).transpose());
    let image = match image {
        Ok(Some(image)) if image.rootfs.is_some() => image,
        // An artifact may have anything here.
        Err(error) if config.media_type.iter().any(|kind| kind.contains("image")) => return Err(error),
        _ => return Ok(None),
    };
    let blob = |layer: Descriptor| {
        let name = blob_of(&layer.digest)?;
        Ok(Blob { name, bytes: layer.size, urls: layer.urls.unwrap_or_default() })
    };
    Ok(Some(Candidate {
        names: names.to_vec(),
        digest: descriptor.digest.clone(),
        platform: image.platform(),
        image,
        layers: manifest.layers.into_iter().flatten().map(blob).collect::<Result<_>>()?,
    }))
}

fn compose(chosen: Candidate) -> Result<Plan> {
    let digests = chosen.image.rootfs.and_then(|rootfs| rootfs.diff_ids).unwrap_or_default();
    ensure!(
        digests.len() == chosen.layers.len(),
        "the manifest of {} has {} layers, its configuration {}",
        short(&chosen.digest),
        chosen.layers.len(),
        digests.len()
    );
    ensure!(digests.len() <= LAYERS, "{} layers are more than any engine can mount", digests.len());
    let history = chosen.image.history.unwrap_or_default();
    let mut made = history.iter().filter(|line| !line.empty_layer).map(|line| line.created_by.clone());
    let layers = chosen.layers.into_iter().zip(digests).map(|(blob, digest)| Planned {
        blob: blob.name,
        digest,
        bytes: blob.bytes,
        created_by: made.next().filter(|line| !line.is_empty()),
    });
    let layers = layers.collect();
    let settings = chosen.image.config.unwrap_or_default();
    let config = Config {
        env: settings.env.unwrap_or_default(),
        user: settings.user.unwrap_or_default(),
        entrypoint: settings.entrypoint.unwrap_or_default(),
        cmd: settings.cmd.unwrap_or_default(),
        working_dir: settings.working_dir.unwrap_or_default(),
        healthcheck: settings.healthcheck.and_then(|check| check.test).filter(|test| !test.is_empty()),
        labels: settings.labels.unwrap_or_default(),
        history,
    };
    Ok(Plan { name: chosen.names.into_iter().next(), platform: chosen.platform, config, layers })
}
