//! Chooses an image of an archive: by name, then by platform.
//!
//! Invariant: nothing is guessed. If several images fit, the error lists them.

use anyhow::{Result, bail, ensure};

use super::documents::ImageDocument;
use super::reference::full_name;

/// An image of the archive.
pub struct Candidate {
    pub names: Vec<String>,
    /// Identifies an image without a name, and one that is listed twice.
    pub digest: String,
    pub platform: String,
    pub image: ImageDocument,
    pub layers: Vec<Blob>,
}

/// A layer in a manifest.
pub struct Blob {
    pub name: String,
    pub bytes: Option<u64>,
    pub urls: Vec<String>,
}

/// Merges images that are listed once per name.
fn merge_names(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let mut merged: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        match merged.iter_mut().find(|other| other.digest == candidate.digest) {
            Some(other) => other.names.extend(candidate.names),
            None => merged.push(candidate),
        }
    }
    for candidate in &mut merged {
        candidate.names.sort();
        candidate.names.dedup();
    }
    merged
}

/// Chooses an image by name or digest; without one, the only image for this platform.
pub fn choose(candidates: Vec<Candidate>, wanted: Option<&str>) -> Result<Candidate> {
    let mut candidates = merge_names(candidates);
    if let Some(wanted) = wanted {
        let known = list(&candidates, Candidate::label);
        candidates.retain(|candidate| candidate.is(wanted));
        ensure!(!candidates.is_empty(), "image {wanted} not found; the archive has {known}");
    }
    let several = candidates.iter().any(|candidate| candidate.names != candidates[0].names);
    if several {
        bail!("the archive has several images; name one of: {}", list(&candidates, Candidate::label));
    }
    let own = format!("linux/{}", architecture());
    let fits = |platform: &str| {
        platform.strip_prefix(&own).is_some_and(|variant| variant.is_empty() || variant.starts_with('/'))
    };
    if candidates.iter().any(|candidate| fits(&candidate.platform)) {
        candidates.retain(|candidate| fits(&candidate.platform));
        // Prefer the plain architecture to its variants.
        let platforms = candidates.iter().map(|candidate| candidate.platform.clone());
        let plainest = platforms.min_by_key(String::len);
        candidates.retain(|candidate| Some(&candidate.platform) == plainest.as_ref());
    }
    let same = candidates.iter().all(|candidate| candidate.platform == candidates[0].platform);
    match candidates.len() {
        1 => Ok(candidates.remove(0)),
        _ if same => {
            bail!(
                "the archive has several images; name one of: {}",
                list(&candidates, |one| one.digest.clone())
            )
        }
        _ => {
            let platforms = list(&candidates, |one| one.platform.clone());
            bail!("the image is for {platforms}, not for {own}")
        }
    }
}

fn list(candidates: &[Candidate], text: impl Fn(&Candidate) -> String) -> String {
    candidates.iter().map(text).collect::<Vec<_>>().join(", ")
}

impl Candidate {
    fn label(&self) -> String {
        if self.names.is_empty() { self.digest.clone() } else { self.names.join(", ") }
    }

    /// By name, with or without registry and tag, or by digest.
    fn is(&self, wanted: &str) -> bool {
        self.digest == wanted || self.names.iter().any(|name| full_name(name) == full_name(wanted))
    }
}

/// The name that images use for this architecture.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
