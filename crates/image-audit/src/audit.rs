//! The entry point: what to audit, with which options.

mod driver_links;
mod frameworks;
mod glibc;
mod kept_by_path;
mod ldd;
mod source;
mod take;

use std::error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;

use crate::archive::{self, Input};
use crate::census::Census;
use crate::config::Image;
use crate::elf::Depth;
use crate::loader::{Environment, Loader, Resolution};
use crate::tree::{Inspector, Tree};

pub use crate::archive::is_archive;
pub use source::Source;

/// How much an audit reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// ELF headers and package databases only. Without names in code, no copy is called redundant.
    Census,
    /// Python sources, strings and device code as well.
    #[default]
    Full,
}

/// An image to audit, and options.
#[derive(Clone, Debug)]
pub struct Audit {
    target: Target,
    level: Level,
    environment: Environment,
    mounts: Vec<String>,
    deadline: Option<Instant>,
    image: Option<String>,
}

#[derive(Clone, Debug)]
enum Target {
    Directory(PathBuf),
    Archive(PathBuf),
    Stdin,
}

impl Audit {
    /// Audits a root directory, such as `/`, or an image unpacked somewhere.
    pub fn directory(root: impl Into<PathBuf>) -> Audit {
        Audit::new(Target::Directory(root.into()))
    }

    /// Audits an image archive as `docker save` writes it, an OCI archive or an OCI layout directory.
    pub fn archive(path: impl Into<PathBuf>) -> Audit {
        Audit::new(Target::Archive(path.into()))
    }

    /// Audits an image archive from standard input.
    pub fn stdin() -> Audit {
        Audit::new(Target::Stdin)
    }

    /// Audits a path as [`archive`](Audit::archive) if it [is one](is_archive), else as a root directory.
    pub fn path(path: impl Into<PathBuf>) -> Audit {
        let path = path.into();
        if is_archive(&path) { Audit::archive(path) } else { Audit::directory(path) }
    }

    fn new(target: Target) -> Audit {
        Audit {
            target,
            level: Level::default(),
            environment: Environment::default(),
            mounts: Vec::new(),
            deadline: None,
            image: None,
        }
    }

    /// How much to read; [`Level::Full`] unless set.
    pub fn level(self, level: Level) -> Audit {
        Audit { level, ..self }
    }

    /// The environment of the image's programs. Overrides what the configuration of the image sets.
    pub fn environment(self, environment: Environment) -> Audit {
        Audit { environment, ..self }
    }

    /// Paths that the container runtime mounted into a directory. They are reported as injected.
    pub fn mounts(self, mounts: impl IntoIterator<Item = impl Into<String>>) -> Audit {
        Audit { mounts: mounts.into_iter().map(Into::into).collect(), ..self }
    }

    /// When to stop walking a directory; the census is [interrupted](crate::census::Coverage) then. Archives
    /// are always read to the end.
    pub fn deadline(self, deadline: Instant) -> Audit {
        Audit { deadline: Some(deadline), ..self }
    }

    /// Which image of an archive to audit, by name or digest. Needed if the archive has several; ignored for a
    /// directory.
    pub fn image(self, name: impl Into<String>) -> Audit {
        Audit { image: Some(name.into()), ..self }
    }

    /// Reads the image.
    pub fn read(self) -> Result<Source, Error> {
        match &self.target {
            Target::Directory(root) => self.read_directory(root),
            Target::Archive(path) => self.read_archive(Input::Path(path)),
            Target::Stdin => self.read_archive(Input::Stdin),
        }
    }

    /// Reads the image and takes its census.
    pub fn run(self) -> Result<Census, Error> {
        Ok(self.read()?.census())
    }

    fn read_directory(&self, root: &Path) -> Result<Source, Error> {
        let start = Instant::now();
        let full = self.level == Level::Full;
        // Code is read later, where it matters.
        let depth = if full { Depth::Data } else { Depth::Headers };
        let tree = Tree::walk(root, Inspector { depth }, self.deadline)
            .with_context(|| format!("cannot read {}", root.display()))
            .map_err(Error)?;
        Ok(Source {
            tree,
            image: None,
            root: root.to_string_lossy().into_owned(),
            environment: self.environment.clone(),
            mounts: self.mounts.clone(),
            full,
            start,
        })
    }

    fn read_archive(&self, input: Input) -> Result<Source, Error> {
        let start = Instant::now();
        let full = self.level == Level::Full;
        let depth = if full { Depth::Code } else { Depth::Headers };
        let name = match input {
            Input::Path(path) => path.display().to_string(),
            Input::Stdin => "standard input".to_owned(),
        };
        let mut read = archive::open(input, self.image.as_deref(), &Inspector { depth })
            .with_context(|| format!("cannot read {name} as an image archive"))
            .map_err(Error)?;
        let mut image = Image::of(&read);
        let (tree, hidden) = Tree::of_image(&mut read);
        image.hide(hidden);
        let environment = self.environment.clone();
        let environment = Environment {
            library_path: environment.library_path.or_else(|| image.library_path.clone()),
            preload: environment.preload.or_else(|| image.preload.clone()),
            working_directory: image.working_directory.clone(),
        };
        let root = image.name.clone().unwrap_or_else(|| "image".to_owned());
        Ok(Source { tree, image: Some(image), root, environment, mounts: Vec::new(), full, start })
    }
}

impl Source {
    /// Takes the census.
    pub fn census(&self) -> Census {
        take::take(self)
    }

    /// What the image's loader loads for the program or library at a path, like `ldd` but without running
    /// anything. None if there is no such object.
    pub fn resolve(&self, object: &str) -> Option<Resolution> {
        ldd::resolve(&self.loader(), object)
    }

    /// What the image's loader loads for every object that it accepts, by path.
    pub fn resolve_all(&self) -> Vec<Resolution> {
        let loader = self.loader();
        ldd::dynamic(&self.tree).filter_map(|path| ldd::resolve(&loader, path)).collect()
    }

    fn loader(&self) -> Loader<'_> {
        Loader::new(&self.tree, self.environment.clone())
    }
}

/// Why an image could not be read.
pub struct Error(anyhow::Error);

/// The message with its causes, for `main` to return.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0.source()
    }
}
