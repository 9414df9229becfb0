//! Secrets in files, in the environment and in the build history of an image.
//!
//! A value is inspected and forgotten: neither it nor any part of it is kept, returned or printed.

mod environment;
pub(crate) mod files;
mod history;
mod patterns;
mod scan;

use serde::{Deserialize, Serialize};

pub use environment::in_environment;
pub use files::{LIMIT, in_file, wants};
pub use history::in_history;
pub(crate) use scan::scan;

/// Where a secret is, and of what kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// A path, `ENV NAME`, or `history line N (INSTRUCTION NAME)`, counted from 1.
    pub place: String,
    /// What it is.
    pub kind: Kind,
}

/// A kind of secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A private key.
    PrivateKey,
    /// Credentials of a cloud provider.
    CloudCredentials,
    /// Credentials of a container or package registry.
    RegistryCredentials,
    /// Another token, such as an API key.
    Token,
    /// A password.
    Password,
}

#[cfg(test)]
mod tests;
