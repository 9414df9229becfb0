//! The JSON documents of an archive, as far as they matter here.
//!
//! Docker's and OCI's differ in names alone. Fields that may be `null` are optional; what is not listed is
//! not looked at. Nothing is concluded here.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::History;
use super::choose::familiar;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DockerImage {
    pub config: String,
    pub repo_tags: Option<Vec<String>>,
    pub layers: Option<Vec<String>>,
}

/// An index or a manifest: which one is seen by what it has.
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

/// Any document that may be needed.
#[derive(Deserialize)]
struct Shape {
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    rootfs: Option<IgnoredAny>,
}

/// Whether a document may be needed to compose an image.
pub fn is_known(name: &str, document: &[u8]) -> bool {
    matches!(name, "/manifest.json" | "/index.json")
        || serde_json::from_slice(document).is_ok_and(|shape: Shape| {
            shape.manifests.is_some() || shape.layers.is_some() || shape.rootfs.is_some()
        })
}

pub fn parse<T: DeserializeOwned>(name: &str, document: &[u8]) -> Result<T> {
    serde_json::from_slice(document).with_context(|| format!("{name} is damaged"))
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

/// Where a layout keeps a blob. A digest is nothing but an algorithm and digits.
pub fn blob_of(digest: &str) -> Result<String> {
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match digest.split_once(':') {
        Some((algorithm, hex)) if plain(algorithm) && plain(hex) => Ok(format!("/blobs/{algorithm}/{hex}")),
        _ => bail!("{digest:.200?} is no digest"),
    }
}
