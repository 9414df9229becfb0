//! Which package owns a file: the databases of dpkg, apk, rpm, conda and Python.

mod apk;
mod conda;
mod dpkg;
pub(crate) mod owners;
mod package;
pub(crate) mod pip;
pub(crate) mod places;
pub(crate) mod rpm;
pub(crate) mod sqlite;

use serde::{Deserialize, Serialize};

/// A package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackageId {
    /// The package manager that installed it.
    pub manager: Manager,
    /// Its name in the package manager.
    pub name: String,
    /// Its version as the package manager writes it.
    pub version: String,
}

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// Debian and Ubuntu, including distroless images.
    Dpkg,
    /// Alpine.
    Apk,
    /// Red Hat, SUSE and relatives.
    Rpm,
    /// Conda, mamba and pixi.
    Conda,
    /// Python packages of pip, uv and others.
    Pip,
}

/// A package and what removing it would free.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PackageSize {
    /// The package.
    pub id: PackageId,
    /// Total size of its files.
    pub bytes: u64,
    /// Number of its files.
    pub files: u64,
}
