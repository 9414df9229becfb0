//! What is loaded with an object.

use std::collections::HashMap;

use serde::Serialize;

use crate::elf::Elf;
use crate::paths;

/// An object and everything that is loaded with it.
#[derive(Debug)]
pub struct Closure<'a> {
    /// In the order of loading; the first is the object itself.
    pub objects: Vec<Loaded<'a>>,
    /// Which object needs which.
    pub edges: Vec<Edge>,
    /// Dependencies that were not found, with the index of the object.
    pub missing: Vec<(usize, String)>,
    /// Names in the order of the first request, with the index of the object that was found.
    pub requests: Vec<(String, Option<usize>)>,
    pub(super) musl: bool,
    /// Number of preloaded objects, which follow the first.
    pub(super) preloaded: usize,
    /// Loaded objects by name, and by device and inode.
    pub(super) by_name: HashMap<String, usize>,
    pub(super) by_identity: HashMap<(u64, u64), usize>,
}

/// A loaded object.
#[derive(Debug)]
pub struct Loaded<'a> {
    /// Real path.
    pub path: String,
    /// Its ELF file.
    pub elf: &'a Elf,
    /// The path where it was found; `$ORIGIN` is its directory.
    pub found_as: String,
    pub(super) loaded_by: Option<usize>,
    /// Names that refer to this object.
    pub(super) names: Vec<String>,
}

/// A dependency between two objects of a [`Closure`].
#[derive(Debug)]
pub struct Edge {
    /// Index of the object that needs the other.
    pub from: usize,
    /// Index of the object that it needs.
    pub to: usize,
    /// The file that the object's own search path leads to, if LD_LIBRARY_PATH or LD_PRELOAD overrides it.
    pub instead_of: Option<String>,
}

/// What the loader loads for one object.
#[derive(Debug, Serialize)]
pub struct Resolution {
    /// Path of the program or library.
    pub object: String,
    /// Each name that is asked for, and the path where the loader finds it.
    pub loads: Vec<(String, Option<String>)>,
}

/// The result of a search.
#[derive(Debug)]
pub(super) struct Found {
    /// Links not followed.
    pub path: String,
    /// The file that the search would find without LD_LIBRARY_PATH.
    pub instead_of: Option<String>,
}

impl Loaded<'_> {
    /// Whether a name refers to this object.
    pub fn answers_to(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// The value of `$ORIGIN`.
    pub(super) fn origin(&self) -> &str {
        match paths::split(&self.found_as) {
            Some(("", _)) => "/",
            Some((directory, _)) => directory,
            None => "",
        }
    }
}
