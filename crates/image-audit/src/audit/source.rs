//! An image that has been read.

use std::time::Instant;

use crate::config::Image;
use crate::loader::Environment;
use crate::tree::Tree;

/// An image that has been read: its files, its configuration, and the environment that its programs get.
#[derive(Debug)]
pub struct Source {
    /// The files of the image.
    pub tree: Tree,
    /// Configuration and layers; None for a directory.
    pub image: Option<Image>,
    /// The environment that the loader of the image's programs gets.
    pub environment: Environment,
    pub(super) root: String,
    pub(super) mounts: Vec<String>,
    pub(super) full: bool,
    pub(super) start: Instant,
}
