//! Kinds of leftovers, and how they are reported.

use serde::{Deserialize, Serialize};

use crate::packages::PackageId;

/// Files of one kind in one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeftoverFound {
    /// What the files are.
    pub kind: Kind,
    /// A file, or the topmost directory of the files. Only files of this kind are counted, not others in it.
    pub place: String,
    /// Total size of the files. A file with other hard links counts as 0.
    pub bytes: u64,
    /// Number of files.
    pub files: u64,
    /// The package that owns the largest file.
    pub package: Option<PackageId>,
}

/// A kind of leftover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// pip's cache.
    PipCache,
    /// uv's cache.
    UvCache,
    /// Poetry's cache.
    PoetryCache,
    /// Conda's `pkgs`, which may share files with environments by hard links.
    CondaPackages,
    /// Packages that apt downloaded.
    AptArchives,
    /// Package lists of `apt-get update`.
    AptLists,
    /// Caches of yum, dnf and zypper.
    YumCache,
    /// apk's cache.
    ApkCache,
    /// Caches of ccache and sccache.
    Ccache,
    /// Bazel's cache.
    BazelCache,
    /// Crates that Cargo downloaded.
    CargoRegistry,
    /// Go's build and module caches.
    GoCache,
    /// Caches of npm, yarn and pnpm.
    NpmCache,
    /// Models and datasets from Hugging Face.
    HuggingfaceCache,
    /// Models that `torch.hub` downloaded.
    TorchHub,
    /// Wheel files, except those that belong to Python itself.
    Wheels,
    /// Packages and installers: deb, rpm, `.run` of CUDA and the driver, `.sh` of conda.
    Installers,
    /// CUDA headers of a toolkit or the distribution.
    CudaHeaders,
    /// CUDA headers in runtime wheels, which do not make it a devel image.
    HeadersInWheels,
    /// Static CUDA libraries of a toolkit or the distribution.
    StaticLibraries,
    /// Static CUDA libraries in wheels.
    StaticLibrariesInWheels,
    /// nvcc and the programs that it calls.
    Nvcc,
    /// NVIDIA's profilers, debuggers and sanitizer.
    Nsight,
    /// Compilers and linkers of the distribution or conda, and Rust toolchains.
    Compilers,
    /// Samples and documentation of CUDA.
    CudaSamplesDocs,
    /// `.git` directories.
    Git,
    /// Intermediate files of CMake and setuptools.
    BuildTrees,
    /// Separate debug symbols.
    DebugSymbols,
    /// /tmp and /var/tmp.
    TemporaryFiles,
    /// Core dumps.
    CrashDumps,
}

/// Kinds that are removed in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Caches of package managers and build tools other than apt.
    Caches,
    /// Lists and archives of apt.
    Apt,
    /// Models and data sets that a framework downloaded.
    Models,
    /// Wheels and installers.
    Installers,
    /// Parts of the CUDA Toolkit that only builds need.
    Toolkit,
    /// Headers and static libraries that runtime wheels bring along.
    InWheels,
    /// Compilers and linkers.
    Compilers,
    /// Files of builds and tests.
    BuildFiles,
}

impl Kind {
    /// Whether it is a cache of a package manager that installs by links.
    pub fn is_cache(self) -> bool {
        matches!(self, Kind::PipCache | Kind::UvCache | Kind::PoetryCache | Kind::CondaPackages)
    }

    /// The group that it is removed with.
    pub fn group(self) -> Group {
        match self {
            Kind::PipCache
            | Kind::UvCache
            | Kind::PoetryCache
            | Kind::CondaPackages
            | Kind::YumCache
            | Kind::ApkCache
            | Kind::Ccache
            | Kind::BazelCache
            | Kind::CargoRegistry
            | Kind::GoCache
            | Kind::NpmCache => Group::Caches,
            Kind::AptArchives | Kind::AptLists => Group::Apt,
            Kind::HuggingfaceCache | Kind::TorchHub => Group::Models,
            Kind::Wheels | Kind::Installers => Group::Installers,
            Kind::CudaHeaders | Kind::StaticLibraries | Kind::Nvcc | Kind::Nsight | Kind::CudaSamplesDocs => {
                Group::Toolkit
            }
            Kind::HeadersInWheels | Kind::StaticLibrariesInWheels => Group::InWheels,
            Kind::Compilers => Group::Compilers,
            Kind::Git | Kind::BuildTrees | Kind::DebugSymbols | Kind::TemporaryFiles | Kind::CrashDumps => {
                Group::BuildFiles
            }
        }
    }
}
