//! What a secret is, and where.

use serde::{Deserialize, Serialize};

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
