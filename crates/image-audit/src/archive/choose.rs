//! Which of the images of an archive is meant: by name, then by platform.
//!
//! Invariant: a choice is made only where there is one; else the error lists what there is.

use anyhow::{Result, bail, ensure};

use super::documents::ImageDocument;

/// An image that may be meant.
pub struct Candidate {
    pub names: Vec<String>,
    /// What it is known by where it has no name, and by which two of the same are found.
    pub digest: String,
    pub platform: String,
    pub image: ImageDocument,
    pub layers: Vec<Blob>,
}

/// A layer as a manifest names it.
pub struct Blob {
    pub name: String,
    pub bytes: Option<u64>,
    pub urls: Vec<String>,
}

/// An image that is listed once for each of its names is one.
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

/// The one image that is meant.
pub fn choose(candidates: Vec<Candidate>, wanted: Option<&str>) -> Result<Candidate> {
    let mut candidates = merge_names(candidates);
    if let Some(wanted) = wanted {
        let known = list(&candidates, Candidate::label);
        candidates.retain(|candidate| candidate.is(wanted));
        ensure!(!candidates.is_empty(), "there is no image {wanted} in it, only {known}");
    }
    let several = candidates.iter().any(|candidate| candidate.names != candidates[0].names);
    if several {
        bail!("there are several images in it, choose one: {}", list(&candidates, Candidate::label));
    }
    let own = format!("linux/{}", architecture());
    let fits = |platform: &str| {
        platform.strip_prefix(&own).is_some_and(|variant| variant.is_empty() || variant.starts_with('/'))
    };
    if candidates.iter().any(|candidate| fits(&candidate.platform)) {
        candidates.retain(|candidate| fits(&candidate.platform));
        // The plain architecture before its variants.
        let platforms = candidates.iter().map(|candidate| candidate.platform.clone());
        let plainest = platforms.min_by_key(String::len);
        candidates.retain(|candidate| Some(&candidate.platform) == plainest.as_ref());
    }
    let same = candidates.iter().all(|candidate| candidate.platform == candidates[0].platform);
    match candidates.len() {
        1 => Ok(candidates.remove(0)),
        _ if same => {
            bail!(
                "there are several images in it, choose one: {}",
                list(&candidates, |one| one.digest.clone())
            )
        }
        _ => {
            let platforms = list(&candidates, |one| one.platform.clone());
            bail!("the image is there for {platforms}, but not for {own}")
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

    /// Whether it is meant by a name, with or without what Docker adds to one, or by its digest.
    fn is(&self, wanted: &str) -> bool {
        self.digest == wanted || self.names.iter().any(|name| full_name(name) == full_name(wanted))
    }
}

/// Without the registry that is meant where none is named.
pub fn familiar(name: &str) -> &str {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

fn full_name(name: &str) -> String {
    let name = familiar(name);
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") }
}

/// As images name it.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
