//! Which of NVIDIA's base images an image resembles, by the files in its system directories.
//!
//! Python packages and conda environments are ignored. A library counts only with a version in its name,
//! because links and stubs have none.

use serde::{Deserialize, Serialize};

/// What an image has of CUDA outside of Python packages and conda environments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flavor {
    /// The base image that it resembles.
    pub base: Base,
    /// Whether it has cuDNN.
    pub cudnn: bool,
    /// Major and minor version, such as `12.4`.
    pub cuda_version: Option<String>,
}

/// The flavors of NVIDIA's `cuda` images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::enum_variant_names, reason = "NVIDIA's names of the images")]
pub enum Base {
    /// No CUDA runtime.
    #[default]
    None,
    /// Only the CUDA runtime library.
    Base,
    /// Math libraries as well.
    Runtime,
    /// Compiler or headers as well.
    Devel,
}

type Version = (u32, u32);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    base: Base,
    cudnn: bool,
    /// The highest version in names of the runtime library, and in names of toolkit directories.
    runtime: Option<Version>,
    directory: Option<Version>,
}

const MATH: [&str; 6] =
    ["libcublas.so.", "libcufft.so.", "libcurand.so.", "libcusolver.so.", "libcusparse.so.", "libnppc.so."];

impl Evidence {
    /// Adds a file outside of Python packages.
    pub fn add(&mut self, path: &str, slash: usize) {
        let name = &path[slash + 1..];
        // Rules out nearly all files.
        if !matches!(
            name.as_bytes(),
            [b'l', b'i', b'b', b'c' | b'n', ..] | [b'n', b'v', ..] | [b'c', b'u', ..]
        ) {
            return;
        }
        let directory = &path[..slash];
        let toolkit = toolkit(path);
        if let Some(version) = toolkit.and_then(version) {
            self.directory = self.directory.max(Some(version));
        }
        let is_library = toolkit.is_some() || is_system_library(directory);
        let base = if let Some(rest) = name.strip_prefix("libcudart.so.").filter(|_| is_library) {
            self.runtime = self.runtime.max(version(rest));
            Base::Base
        } else if is_library && MATH.iter().any(|library| name.starts_with(library)) {
            Base::Runtime
        } else if is_devel(directory, name, toolkit.is_some()) {
            Base::Devel
        } else {
            Base::None
        };
        self.base = self.base.max(base);
        self.cudnn |= is_library && name.starts_with("libcudnn.so.");
    }

    pub fn flavor(&self) -> Flavor {
        // A toolkit directory may contain only the forward-compatibility driver of a newer CUDA.
        let version = self.runtime.or(self.directory).filter(|_| self.base != Base::None);
        Flavor {
            base: self.base,
            cudnn: self.cudnn,
            cuda_version: version.map(|(major, minor)| format!("{major}.{minor}")),
        }
    }
}

fn is_devel(directory: &str, name: &str, in_toolkit: bool) -> bool {
    match name {
        "nvcc" => in_toolkit || matches!(directory, "/usr/bin" | "/bin" | "/usr/local/bin"),
        "cuda_runtime.h" | "cuda_runtime_api.h" => in_toolkit || directory == "/usr/include",
        _ => false,
    }
}

fn is_system_library(directory: &str) -> bool {
    match directory {
        "/usr/lib" | "/usr/lib64" | "/lib" | "/lib64" | "/usr/local/lib" | "/usr/local/lib64" => true,
        _ => {
            let triple = directory.strip_prefix("/usr/lib/").or_else(|| directory.strip_prefix("/lib/"));
            triple.is_some_and(|triple| triple.contains("-linux-gnu") && !triple.contains('/'))
        }
    }
}

/// Whether a directory is a toolkit: /usr/local/cuda-12.4, /opt/cuda.
pub fn is_toolkit(parent: &str, name: &[u8]) -> bool {
    let is_place = matches!(parent, "/usr/local" | "/opt");
    is_place && name.strip_prefix(b"cuda").is_some_and(|rest| rest.is_empty() || rest[0] == b'-')
}

/// The version in the name of the toolkit directory that contains a path.
fn toolkit(path: &str) -> Option<&str> {
    if let Some(below) = path.strip_prefix("/usr/lib/nvidia-cuda-toolkit") {
        return below.starts_with('/').then_some("");
    }
    let below = path.strip_prefix("/usr/local/cuda").or_else(|| path.strip_prefix("/opt/cuda"))?;
    let (rest, _) = below.split_once('/')?;
    (rest.is_empty() || rest.starts_with('-')).then_some(rest.trim_start_matches('-'))
}

/// The first two numbers.
fn version(text: &str) -> Option<Version> {
    let mut numbers = text.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}
