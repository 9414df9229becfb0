//! Internal parsers for fuzz targets. This module may change at any time.

pub use crate::archive::{
    Config, Content, Entry, Image, Input, Kind, Layer, Visit, open as open_archive, overlay,
};
pub use crate::bytes::{Bytes, Findings, HEAD, Kept, Part, Searched};
pub use crate::elf::{Depth, read as read_elf};
pub use crate::fatbin::scanner::{Scanner, merged};
pub use crate::leftovers::collect::{Collector, Leftover};
pub use crate::loader::cache::Cache;
pub use crate::packages::owners::Ownership;
pub use crate::packages::rpm::packages as rpm_packages;
pub use crate::packages::sqlite::{Value, for_each_row};
pub use crate::python::{PythonNames, inspect as inspect_python, is_script};
pub use crate::strings::{Found, Hit, find as find_strings};
pub use crate::tree::inspect::Inspector;
pub use crate::tree::layers::Fact;

use std::collections::HashSet;

use crate::config;
use crate::packages::{owners as of_packages, pip};
use crate::tree::Tree;

/// The owners of some files.
pub fn owners(tree: &Tree, wanted: &HashSet<String>) -> Ownership {
    of_packages::owners(tree, &pip::installed(tree), wanted)
}

/// The tree and the description of an image, as an audit makes them.
pub fn tree_of_image(mut image: Image<Fact>) -> (Tree, config::Image, Vec<overlay::Hidden>) {
    let mut described = config::Image::of(&image);
    let (tree, hidden) = Tree::of_image(&mut image);
    described.hide(hidden.clone());
    (tree, described, hidden)
}
