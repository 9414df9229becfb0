//! The audited image in the report: its contents, layers and leftovers.

use image_audit::{census, config, leftovers, packages};
use serde::Serialize;

use super::library::DeviceCode;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Image {
    /// The audited directory, or the image's name in its archive.
    pub root: String,
    /// Whether the root is that of a host, and no image.
    pub host: bool,
    /// Whether the root is a directory of Python packages; paths below it begin with `/site-packages`.
    pub python_site: bool,
    pub entries: u64,
    pub elf_files: u64,
    /// Size of all regular files; hard links count once.
    pub bytes: u64,
    pub seconds: f64,
    /// Such as `debian 12`.
    pub distribution: Option<String>,
    /// Which of NVIDIA's base images its content resembles.
    pub flavor: Flavor,
    /// What the verdicts assume.
    pub assumptions: Vec<String>,
    /// Installations with device code of their own, the largest first. Predictions judge each of them.
    pub frameworks: Vec<Framework>,
    /// Of all ELF files, NVIDIA's libraries included, by architecture.
    pub device_code: Vec<DeviceCode>,
    /// Packages that own copies or tools.
    pub packages: Vec<Package>,
    pub leftovers: Vec<Leftover>,
    /// Layers of an archive, lowest first.
    pub layers: Vec<Layer>,
    pub hidden: Vec<Hidden>,
    /// Size of all redundant copies.
    pub redundant_bytes: u64,
    pub unreadable: Vec<String>,
    pub skipped: Vec<String>,
}

/// A package in one place, or a directory, with device code that is not one of NVIDIA's libraries.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Framework {
    /// Name of the package, such as `torch`; the path of a directory that no package owns.
    pub name: String,
    pub version: Option<String>,
    /// The one with most device code first.
    pub objects: Vec<CodeObject>,
    /// Paths of the copies of CUDA libraries that it loads.
    pub uses: Vec<String>,
}

/// An object with device code.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CodeObject {
    pub path: String,
    pub device_code: Vec<DeviceCode>,
}

impl From<&census::Framework> for Framework {
    fn from(from: &census::Framework) -> Self {
        let object = |object: &census::CodeObject| CodeObject {
            path: object.path.clone(),
            device_code: object.device_code.iter().map(Into::into).collect(),
        };
        Framework {
            name: from.name.clone(),
            version: from.version.clone(),
            objects: from.objects.iter().map(object).collect(),
            uses: from.uses.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Package {
    pub manager: Manager,
    pub name: String,
    pub version: String,
    /// Size of all its files.
    pub bytes: u64,
    pub files: u64,
    /// Dockerfile line that removes it.
    pub remove: String,
}

/// The package that a file belongs to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PackageName {
    pub manager: Manager,
    pub name: String,
    pub version: String,
}

/// Files in one place that a production image rarely needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Leftover {
    pub kind: Kind,
    pub place: String,
    pub bytes: u64,
    pub files: u64,
    pub package: Option<PackageName>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Layer {
    /// Of the uncompressed layer.
    pub digest: String,
    /// The Dockerfile instruction that created it, without arguments that may be secret.
    pub instruction: Option<String>,
    /// As in the archive, compressed or not.
    pub stored_bytes: u64,
    /// Of its files.
    pub bytes: u64,
    /// False if the layer is damaged, so that files are missing.
    pub whole: bool,
}

impl From<&packages::PackageId> for PackageName {
    fn from(from: &packages::PackageId) -> Self {
        PackageName { manager: from.manager.into(), name: from.name.clone(), version: from.version.clone() }
    }
}

impl From<&config::Layer> for Layer {
    fn from(from: &config::Layer) -> Self {
        Layer {
            digest: from.digest.clone(),
            instruction: from.instruction.clone(),
            stored_bytes: from.stored_bytes,
            bytes: from.bytes,
            whole: from.whole,
        }
    }
}

/// Files of one layer that a later layer deletes or overwrites: shipped but not visible.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Hidden {
    /// Number of the layer that ships them, from 0, the lowest.
    pub layer: usize,
    /// Number of the layer that hides them.
    pub by: usize,
    pub deleted: bool,
    pub bytes: u64,
    pub files: u64,
    /// The directory that contains all of them.
    pub place: String,
    /// The largest, and its bytes.
    pub largest: String,
    pub largest_bytes: u64,
}

impl From<&config::Hidden> for Hidden {
    fn from(from: &config::Hidden) -> Self {
        Hidden {
            layer: from.layer,
            by: from.by,
            deleted: from.deleted,
            bytes: from.bytes,
            files: from.files,
            place: from.place.clone(),
            largest: from.largest.clone(),
            largest_bytes: from.largest_bytes,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Flavor {
    pub base: Base,
    pub cudnn: bool,
    /// Major and minor, as in 12.4.
    pub cuda_version: Option<String>,
}

impl From<&leftovers::Flavor> for Flavor {
    fn from(from: &leftovers::Flavor) -> Self {
        Flavor { base: from.base.into(), cudnn: from.cudnn, cuda_version: from.cuda_version.clone() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[allow(clippy::enum_variant_names, reason = "NVIDIA's own names of the images")]
pub enum Base {
    /// No CUDA runtime outside of wheels and environments.
    None,
    /// The CUDA runtime library alone.
    Base,
    /// Also the math libraries.
    Runtime,
    /// Compiler or headers.
    Devel,
}

impl From<leftovers::Base> for Base {
    fn from(from: leftovers::Base) -> Self {
        match from {
            leftovers::Base::None => Base::None,
            leftovers::Base::Base => Base::Base,
            leftovers::Base::Runtime => Base::Runtime,
            leftovers::Base::Devel => Base::Devel,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    PipCache,
    UvCache,
    PoetryCache,
    /// Archives and unpacked packages in conda's `pkgs`, which environments may share by hard links.
    CondaPackages,
    AptArchives,
    AptLists,
    /// Of yum, dnf and zypper.
    YumCache,
    ApkCache,
    /// Of ccache and sccache.
    Ccache,
    BazelCache,
    CargoRegistry,
    GoCache,
    NpmCache,
    HuggingfaceCache,
    /// Models that `torch.hub` fetched.
    TorchHub,
    /// Wheel files, except those that belong to Python itself.
    Wheels,
    /// Packages and installers: deb, rpm, `.run`, conda's `.sh`.
    Installers,
    /// Of a toolkit or the distribution.
    CudaHeaders,
    /// Headers that runtime wheels include; not a sign of a devel image.
    HeadersInWheels,
    /// CUDA's `*.a` of a toolkit or the distribution.
    StaticLibraries,
    StaticLibrariesInWheels,
    /// nvcc and what it calls, of a toolkit or of NVIDIA's wheels.
    Nvcc,
    /// NVIDIA's profilers, debuggers and sanitizer.
    Nsight,
    /// The distribution's or conda's compilers and linkers, and Rust toolchains.
    Compilers,
    CudaSamplesDocs,
    Git,
    /// Intermediate files of CMake and setuptools.
    BuildTrees,
    DebugSymbols,
    TemporaryFiles,
    CrashDumps,
}

impl From<leftovers::Kind> for Kind {
    fn from(from: leftovers::Kind) -> Self {
        match from {
            leftovers::Kind::PipCache => Kind::PipCache,
            leftovers::Kind::UvCache => Kind::UvCache,
            leftovers::Kind::PoetryCache => Kind::PoetryCache,
            leftovers::Kind::CondaPackages => Kind::CondaPackages,
            leftovers::Kind::AptArchives => Kind::AptArchives,
            leftovers::Kind::AptLists => Kind::AptLists,
            leftovers::Kind::YumCache => Kind::YumCache,
            leftovers::Kind::ApkCache => Kind::ApkCache,
            leftovers::Kind::Ccache => Kind::Ccache,
            leftovers::Kind::BazelCache => Kind::BazelCache,
            leftovers::Kind::CargoRegistry => Kind::CargoRegistry,
            leftovers::Kind::GoCache => Kind::GoCache,
            leftovers::Kind::NpmCache => Kind::NpmCache,
            leftovers::Kind::HuggingfaceCache => Kind::HuggingfaceCache,
            leftovers::Kind::TorchHub => Kind::TorchHub,
            leftovers::Kind::Wheels => Kind::Wheels,
            leftovers::Kind::Installers => Kind::Installers,
            leftovers::Kind::CudaHeaders => Kind::CudaHeaders,
            leftovers::Kind::HeadersInWheels => Kind::HeadersInWheels,
            leftovers::Kind::StaticLibraries => Kind::StaticLibraries,
            leftovers::Kind::StaticLibrariesInWheels => Kind::StaticLibrariesInWheels,
            leftovers::Kind::Nvcc => Kind::Nvcc,
            leftovers::Kind::Nsight => Kind::Nsight,
            leftovers::Kind::Compilers => Kind::Compilers,
            leftovers::Kind::CudaSamplesDocs => Kind::CudaSamplesDocs,
            leftovers::Kind::Git => Kind::Git,
            leftovers::Kind::BuildTrees => Kind::BuildTrees,
            leftovers::Kind::DebugSymbols => Kind::DebugSymbols,
            leftovers::Kind::TemporaryFiles => Kind::TemporaryFiles,
            leftovers::Kind::CrashDumps => Kind::CrashDumps,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    Dpkg,
    Apk,
    Rpm,
    Conda,
    Pip,
}

impl From<packages::Manager> for Manager {
    fn from(from: packages::Manager) -> Self {
        match from {
            packages::Manager::Dpkg => Manager::Dpkg,
            packages::Manager::Apk => Manager::Apk,
            packages::Manager::Rpm => Manager::Rpm,
            packages::Manager::Conda => Manager::Conda,
            packages::Manager::Pip => Manager::Pip,
        }
    }
}
