//! Secrets of an image by place and kind: in files, the environment and the history of its build.
//!
//! A value is looked at and forgotten: it is never kept, returned or printed, nor any part of it. What
//! is found here is certain enough to be worth a look by a person; whether it is a fault is for the
//! checks. `patterns` knows values and names, `files` the files.

mod files;
mod history;
mod patterns;

use serde::{Deserialize, Serialize};

pub use files::{LIMIT, in_file, wants};
pub use history::in_history;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// A file, `ENV NAME`, or `history line N (INSTRUCTION NAME)`, counted from 1.
    pub place: String,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    PrivateKey,
    CloudCredentials,
    /// For a registry of containers or packages.
    RegistryCredentials,
    Token,
    Password,
}

/// The variables of an image, each `NAME=value`.
pub fn in_environment(env: &[String]) -> Vec<Secret> {
    let secret = |variable: &String| {
        let (name, value) = variable.split_once('=')?;
        let kind = patterns::variable(name, value).or_else(|| patterns::value(value))?;
        Some(Secret { place: format!("ENV {}", patterns::shown(name)), kind })
    };
    env.iter().filter_map(secret).collect()
}

#[cfg(test)]
mod tests;
