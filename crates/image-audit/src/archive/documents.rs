//! The JSON documents of an archive.
//!
//! Docker's and OCI's differ in names only. Fields that may be `null` are optional; other fields are ignored.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::image::History;
use super::reference::familiar;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DockerImage {
    pub config: String,
    pub repo_tags: Option<Vec<String>>,
    pub layers: Option<Vec<String>>,
}

/// An index or a manifest, depending on the fields it has.
#[derive(Deserialize)]
pub struct Document {
    pub manifests: Option<Vec<Descriptor>>,
    pub config: Option<Descriptor>,
    pub layers: Option<Vec<Descriptor>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: Option<String>,
    pub digest: String,
    pub size: Option<u64>,
    pub urls: Option<Vec<String>>,
    pub platform: Option<Platform>,
    pub annotations: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Platform {
    pub os: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct ImageDocument {
    pub os: String,
    pub architecture: String,
    pub variant: Option<String>,
    pub config: Option<Settings>,
    pub history: Option<Vec<History>>,
    pub rootfs: Option<RootFs>,
}

#[derive(Deserialize)]
pub struct RootFs {
    pub diff_ids: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Settings {
    pub env: Option<Vec<String>>,
    pub user: Option<String>,
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    pub working_dir: Option<String>,
    pub healthcheck: Option<Healthcheck>,
    pub labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
pub struct Healthcheck {
    #[serde(rename = "Test")]
    pub test: Option<Vec<String>>,
}

/// Distinguishes documents of images from others.
#[derive(Deserialize)]
struct Shape {
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    rootfs: Option<IgnoredAny>,
}

/// Whether a document may be needed to read an image.
pub fn is_known(name: &str, document: &[u8]) -> bool {
    matches!(name, "/manifest.json" | "/index.json")
        || serde_json::from_slice(document).is_ok_and(|shape: Shape| {
            shape.manifests.is_some() || shape.layers.is_some() || shape.rootfs.is_some()
        })
}

pub fn parse<T: DeserializeOwned>(name: &str, document: &[u8]) -> Result<T> {
    serde_json::from_slice(document).with_context(|| format!("cannot parse {name}"))
}

impl Descriptor {
    fn annotation(&self, key: &str) -> Option<&String> {
        self.annotations.as_ref()?.get(key)
    }

    pub fn name(&self) -> Option<String> {
        let names = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
        names.iter().find_map(|key| self.annotation(key)).map(|name| familiar(name).to_owned())
    }

    pub fn is_attestation(&self) -> bool {
        self.annotation("vnd.docker.reference.type").is_some()
            || self.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
    }
}

impl ImageDocument {
    pub fn platform(&self) -> String {
        let variant = self.variant.iter().filter(|variant| !variant.is_empty());
        let plain = format!("{}/{}", self.os, self.architecture);
        variant.fold(plain, |plain, variant| format!("{plain}/{variant}"))
    }
}

/// Path of a blob in an OCI layout. A digest must be an algorithm and digits, so that it cannot lead
/// elsewhere.
pub fn blob_of(digest: &str) -> Result<String> {
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match digest.split_once(':') {
        Some((algorithm, hex)) if plain(algorithm) && plain(hex) => Ok(format!("/blobs/{algorithm}/{hex}")),
        _ => bail!("{digest:.200?} is not a digest"),
    }
}
