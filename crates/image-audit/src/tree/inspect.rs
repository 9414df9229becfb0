//! Inspects single files: programs and libraries for what the loader sees, Python sources for the names that
//! they load.

use anyhow::Result;

use crate::bytes::Bytes;
use crate::catalogue::tool_of;
use crate::elf::{self, Depth, Elf};
use crate::paths;
use crate::python::{self, PythonNames};

/// Decides which files to inspect, and how deeply.
#[derive(Clone, Copy, Debug)]
pub struct Inspector {
    /// How much of programs and libraries to read. Python sources are read from [`Depth::Data`] on.
    pub depth: Depth,
}

/// What was found in one file.
#[derive(Clone, Debug, Default)]
pub struct Inspected {
    pub elf: Option<Box<Elf>>,
    pub python: PythonNames,
}

/// Extensions of files that are never programs, even if executable.
const DATA: [&str; 24] = [
    "py", "pyc", "pyi", "h", "hpp", "cuh", "c", "cpp", "txt", "md", "rst", "json", "html", "css", "js",
    "png", "svg", "gz", "xz", "a", "list", "md5sums", "mo", "cmake",
];

/// Extensions of data files that may name libraries.
const LISTS: [&str; 6] = ["json", "toml", "yaml", "yml", "cfg", "ini"];

/// A data file of an installed Python package.
pub fn is_data(path: &str) -> bool {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    LISTS.contains(&extension)
        // uv may install by symbolic links into the last of these.
        && ["/site-packages/", "/dist-packages/", "/archive-v0/"].iter().any(|place| path.contains(place))
        && !path.contains(".dist-info/")
}

/// Python source, or a compiled module in its place; those in `__pycache__` have a source.
pub fn is_source(path: &str) -> bool {
    path.ends_with(".py") || path.ends_with(".pyc") && !path.contains("/__pycache__/")
}

impl Inspector {
    pub fn wants(self, path: &str, mode: u32, bytes: u64) -> bool {
        if bytes == 0 {
            return false;
        }
        let name = paths::name(path);
        let extension = name.rsplit_once('.').map(|(_, extension)| extension);
        if is_source(path) {
            return self.depth >= Depth::Data && bytes <= python::LARGEST as u64;
        }
        if is_data(path) {
            return self.depth >= Depth::Data && bytes <= python::LARGEST_DATA as u64;
        }
        let data = extension.is_some_and(|extension| DATA.contains(&extension));
        name.contains(".so") || mode & 0o111 != 0 && !data || tool_of(path).is_some()
    }

    pub fn inspect(self, path: &str, bytes: &dyn Bytes, scratch: &mut Vec<u8>) -> Result<Inspected> {
        if is_source(path) {
            return Ok(Inspected { python: python::inspect(bytes, scratch)?, elf: None });
        }
        if is_data(path) {
            return Ok(Inspected { python: python::inspect_data(bytes, scratch)?, elf: None });
        }
        let elf = elf::read(bytes, self.depth, scratch)?.map(Box::new);
        let mut head = [0; 64];
        let is_script = self.depth >= Depth::Data && elf.is_none() && {
            let read = bytes.read_at(&mut head, 0)?;
            python::is_script(&head[..read])
        };
        let python = if is_script { python::inspect(bytes, scratch)? } else { PythonNames::default() };
        Ok(Inspected { elf, python })
    }
}
