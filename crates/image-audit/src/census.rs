//! The census: every copy of a CUDA library in an image, who loads it, and what else the image holds.
//!
//! A copy is *reached* if some object of the image loads it: as a dependency that the loader resolves, by a
//! name passed to dlopen, from Python, or by a known convention. The [`Verdict`] follows from that.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::elf::Forward;
use crate::fatbin::DeviceCode;
use crate::leftovers::{Flavor, LeftoverFound};
use crate::packages::{PackageId, PackageSize};
use crate::secrets::Secret;
use crate::verdict::Verdict;

pub use crate::coverage::{Coverage, Unreadable};

/// What an audit found in one image. Sizes are in bytes; paths are those inside the image and begin with `/`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Census {
    /// The directory that was audited, or the name of the image.
    pub root: String,
    /// Whether the root is a directory of Python packages; their paths begin with `/site-packages`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub python_site: bool,
    /// Files, links and directories that were listed.
    pub entries: u64,
    /// Programs, libraries and other ELF files.
    pub elf_files: u64,
    /// Size of all regular files; a file with several hard links counts once.
    pub bytes: u64,
    /// How long reading the image took.
    pub seconds: f64,
    /// Whether Python sources, strings and device code were read as well.
    pub full: bool,
    /// The LD_LIBRARY_PATH that was assumed for the programs of the image.
    pub library_path: Option<String>,
    /// Copies of the libraries in the [catalogue](crate::catalogue), in its order, then by path.
    pub copies: Vec<Copy>,
    /// Compilers, headers and profilers of CUDA.
    pub tools: Vec<ToolFound>,
    /// Sonames of CUDA libraries that objects are linked to and the image does not have.
    pub missing: Vec<Missing>,
    /// What objects lack of which a sibling has all it needs: one library for each CUDA release, of which one is loaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_alternatives: Vec<Missing>,
    /// Sonames that programs open by name, in no other version, and that the loader does not find.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_opened: Vec<Missing>,
    /// Other names passed to dlopen that the loader does not find. Many programs work without them.
    pub missing_optional: Vec<Missing>,
    /// Packages that own copies or tools.
    pub packages: Vec<PackageSize>,
    /// Build tools, caches and other files that a production image rarely needs.
    pub leftovers: Vec<LeftoverFound>,
    /// Which of NVIDIA's base images this one resembles.
    pub flavor: Flavor,
    /// Files that hold a secret. The secret itself is never kept.
    pub secrets: Vec<Secret>,
    /// From os-release.
    pub distribution: Option<Distribution>,
    /// Whether the image has glibc's loader.
    pub glibc: bool,
    /// Of glibc, as far as the symbol versions of its libraries show it, such as `2.41`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glibc_version: Option<String>,
    /// Libraries of Python packages that need an executable stack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub executable_stacks: Vec<Object>,
    /// Links to libraries of a driver that do not exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dangling_driver_links: Vec<DanglingLink>,
    /// Copies that LD_LIBRARY_PATH hides from objects that would find them by their own search path.
    pub shadows: Vec<Shadow>,
    /// What LD_LIBRARY_PATH keeps in use beside the copies that it overrides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_by_path: Option<KeptByPath>,
    /// Copies of one release that a process loads from different directories.
    pub mixed: Vec<Mixed>,
    /// Symbol versions that an object needs and its library does not define.
    pub version_gaps: Vec<VersionGap>,
    /// Installations with device code of their own, which decide on which GPUs the image runs; the largest first.
    pub frameworks: Vec<Framework>,
    /// Device code of all objects, NVIDIA's libraries included, summed up by architecture.
    pub device_code: Vec<DeviceCode>,
    /// How much of the image was read.
    pub coverage: Coverage,
    /// What could not be read and is missing from the census.
    pub unreadable: Vec<Unreadable>,
    /// Mount points that were left out.
    pub skipped: Vec<String>,
    /// Path of `libtorch_cuda.so`, if PyTorch is installed.
    pub torch: Option<String>,
}

impl Census {
    /// A census of an image that could not be walked at all.
    pub fn interrupted(root: &str, reason: impl Into<String>) -> Census {
        Census {
            root: root.to_owned(),
            coverage: Coverage::Interrupted,
            unreadable: vec![Unreadable::new("/", reason)],
            ..Census::default()
        }
    }

    /// Whether all directories were listed. If not, a library that was not found may still be there.
    pub fn is_whole(&self) -> bool {
        self.coverage != Coverage::Interrupted
    }

    /// The copies with one verdict.
    pub fn copies_with(&self, verdict: Verdict) -> impl Iterator<Item = &Copy> {
        self.copies.iter().filter(move |copy| copy.verdict == verdict)
    }
}

/// A Linux distribution. Displayed as `debian 12`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// `ID` of os-release, such as `debian`.
    pub id: String,
    /// `VERSION_ID`, such as `12`.
    pub version: Option<String>,
}

impl fmt::Display for Distribution {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match &self.version {
            Some(version) => write!(out, "{} {version}", self.id),
            None => out.write_str(&self.id),
        }
    }
}

/// One copy of a CUDA library.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copy {
    /// Name in the catalogue, such as `libcublas`.
    pub library: String,
    /// Real path, all links followed.
    pub path: String,
    /// Symbolic links to the copy.
    pub links: Vec<String>,
    /// Further hard links to the copy: deleting it frees nothing as long as one of them is left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hard_links: Vec<String>,
    /// DT_SONAME, such as `libcublas.so.12`.
    pub soname: Option<String>,
    /// From the file name or the package, such as `12.4.5.8`.
    pub version: Option<String>,
    /// Size of the file.
    pub bytes: u64,
    /// How it came into the image.
    pub origin: Origin,
    /// The package that owns it.
    pub package: Option<PackageId>,
    /// Objects that load it, the most certain first.
    pub users: Vec<User>,
    /// Some program loads it.
    pub reached: bool,
    /// The metadata of an installed package requires it.
    #[serde(default)]
    pub required: bool,
    /// Nothing was seen to load it, but nothing replaces it, or something may find it.
    pub kept: bool,
    /// Why it has to stay, if it is [kept](Copy::kept). None in facts of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// What follows from the rest.
    pub verdict: Verdict,
    /// Device code in the file, by architecture.
    pub device_code: Vec<DeviceCode>,
    /// Of a libcuda for forward compatibility: the drivers that it supports.
    pub forward: Option<Forward>,
}

/// An installation with device code that is not one of NVIDIA's libraries: a Python package in one place, another
/// package, or a directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Framework {
    /// Of the package, such as `torch`; the path of a directory that no package owns.
    pub name: String,
    /// Of the package.
    pub version: Option<String>,
    /// Its objects with device code, the one with most code first; never empty.
    pub objects: Vec<CodeObject>,
    /// Paths of the copies of CUDA libraries that it loads.
    pub uses: Vec<String>,
}

/// A library or program, and the package that it came with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Where it is.
    pub path: String,
    /// The package that owns it.
    pub package: Option<PackageId>,
}

/// A symbolic link to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DanglingLink {
    /// The link.
    pub path: String,
    /// Where it leads to, all other links followed.
    pub target: String,
}

/// An object with device code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeObject {
    /// Where it is.
    pub path: String,
    /// Its device code, by architecture.
    pub device_code: Vec<DeviceCode>,
}

impl CodeObject {
    /// Size of its device code.
    pub fn bytes(&self) -> u64 {
        self.device_code.iter().map(|code| code.bytes).fold(0, u64::saturating_add)
    }
}

/// LD_LIBRARY_PATH overrides the copy that an object's own search path leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shadow {
    /// The object that is affected.
    pub by: String,
    /// The copy that its RUNPATH leads to.
    pub meant: String,
    /// The copy that it gets.
    pub winner: String,
}

/// Copies that would be redundant if LD_LIBRARY_PATH did not override others with them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptByPath {
    /// The entries of LD_LIBRARY_PATH to remove.
    pub directories: Vec<String>,
    /// What is left of it.
    pub library_path: Option<String>,
    /// Paths of the copies that are then redundant.
    pub copies: Vec<String>,
}

/// Copies of one family that a process loads from different directories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mixed {
    /// The program or library that loads them.
    pub program: String,
    /// Paths of the copies.
    pub copies: Vec<String>,
}

/// An object needs a symbol version that the library it gets does not define, so it will not load.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VersionGap {
    /// The object.
    pub by: String,
    /// The library that it gets.
    pub provider: String,
    /// Such as `GLIBC_2.38`.
    pub version: String,
}

/// How a file came into the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Mounted by the container runtime.
    Injected,
    /// One of NVIDIA's wheels.
    Wheel,
    /// A package of the distribution.
    Package,
    /// A package of a conda environment.
    Conda,
    /// A CUDA toolkit that no package owns.
    Toolkit,
    /// A stub for linking, whose functions do nothing.
    Stub,
    /// Bundled in a third-party Python package.
    Vendored,
    /// None of the above.
    Other,
}

/// An object that loads a copy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct User {
    /// Path of the object or Python source.
    pub path: String,
    /// How it loads the copy.
    pub how: How,
}

/// Why a copy without a known user has to stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The reason.
    pub why: Why,
    /// The object, Python source or other copy that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Reasons to keep a copy, the first that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// No other copy with its soname is used.
    NotReplaced,
    /// Something asks for its soname and does not find it: programs run in another environment than the assumed one.
    Unmet,
    /// A part of the driver, of which the container runtime chooses.
    Driver,
    /// It is for another processor.
    OtherMachine,
    /// It is in a package that the metadata of another one requires.
    Required,
    /// A plug-in without its library.
    PlugIn,
    /// cuda.pathfinder finds it by name.
    Finder,
    /// A variant of a used copy in glibc-hwcaps.
    Variant,
    /// Its name is mentioned where it would be found.
    Mentioned,
    /// A search path of an object that composes names leads to its directory.
    SearchPath,
    /// Another copy that stays would load it.
    Needed,
}

/// How a copy is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// Linked: DT_NEEDED.
    Needed,
    /// By every program, through LD_PRELOAD or /etc/ld.so.preload.
    Preload,
    /// The file name is in an object that imports dlopen.
    Dlopen,
    /// Pieces of the file name are in the code of an object that imports dlopen.
    Pieces,
    /// A search path of an object that imports dlopen leads to it, and nothing else explains that path.
    #[serde(rename = "search-path")]
    SearchPath,
    /// The file name is in a Python package that uses ctypes or cuda.pathfinder.
    Python,
    /// Known behavior, such as cuDNN loading its sub-libraries.
    Convention,
    /// The metadata of an installed package requires the package that contains it.
    Required,
}

/// A tool of the [catalogue](crate::catalogue::TOOLS) in the image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolFound {
    /// Name in the catalogue, such as `nvcc`.
    pub tool: String,
    /// A file, or the directory of headers.
    pub path: String,
    /// Size of the file; None for a directory.
    pub bytes: Option<u64>,
    /// How it came into the image.
    pub origin: Origin,
    /// The package that owns it.
    pub package: Option<PackageId>,
}

/// A library that objects ask for and the loader does not find.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    /// Name in the catalogue.
    pub library: String,
    /// What the objects ask for.
    pub soname: String,
    /// Paths of the objects; never empty.
    pub by: Vec<String>,
    /// Copies with that soname, where the loader does not look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<String>,
    /// The Python package of the first object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// What the metadata of the objects' packages requires for it, such as `nvidia-cublas-cu12==12.9.*`, if they agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirement: Option<String>,
    /// The call that loads it first, if a program makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_request: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_interrupted_census_is_not_whole() {
        assert!(Census::default().is_whole());
        assert!(Census { coverage: Coverage::Partial, ..Census::default() }.is_whole());
        assert!(!Census::interrupted("/srv", "not read before the deadline").is_whole());
    }
}
