//! What is audited: a directory, the running root, or an image archive, read into one tree with what is
//! known beside its files.

use std::path::Path;
use std::time::Instant;

use super::archive;
use super::image::Image;
use super::loader::Environment;
use super::tree::{Inspector, Tree};

/// A tree that has been read, with what is known of it beside its files.
pub struct Source {
    pub tree: Tree,
    pub image: Option<Image>,
    pub root: String,
    pub environment: Environment,
    /// Places that the container runtime mounted over.
    pub mounts: Vec<String>,
    pub full: bool,
    pub start: Instant,
}

impl Source {
    /// Walks a root until `end`.
    pub fn directory(
        root: &Path,
        full: bool,
        environment: Environment,
        mounts: &[String],
        end: Instant,
    ) -> std::io::Result<Source> {
        let start = Instant::now();
        let tree = Tree::walk(root, Inspector { full }, end)?;
        let (root, mounts) = (root.to_string_lossy().into_owned(), mounts.to_vec());
        Ok(Source { tree, image: None, root, environment, mounts, full, start })
    }

    /// Reads an image archive. `environment` goes before what the image says.
    pub fn archive(
        input: archive::Input,
        wanted: Option<&str>,
        full: bool,
        environment: Environment,
    ) -> anyhow::Result<Source> {
        let start = Instant::now();
        let mut read = archive::open(input, wanted, &Inspector { full })?;
        let mut image = Image::of(&read);
        let (tree, hidden) = Tree::of_image(&mut read);
        image.hide(hidden);
        let environment = Environment {
            library_path: environment.library_path.or_else(|| image.library_path.clone()),
            preload: environment.preload.or_else(|| image.preload.clone()),
            working_directory: image.working_directory.clone(),
        };
        let root = image.name.clone().unwrap_or_else(|| "image".to_owned());
        Ok(Source { tree, image: Some(image), root, environment, mounts: Vec::new(), full, start })
    }
}
