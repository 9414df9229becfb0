//! Libraries in the report: every copy, who loads it, and what becomes of it.

use std::collections::BTreeSet;

use image_audit::catalogue::TOOLS;
use image_audit::census::Census;
use image_audit::{census, fatbin, verdict};
use serde::Serialize;

use super::image::PackageName;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Library {
    pub name: String,
    pub status: Status,
    pub copies: Vec<Copy>,
    /// Objects that need it, if it is missing.
    pub missing_for: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Present,
    /// An object needs it and nothing provides it.
    Missing,
    /// Some copies are never loaded, because another one is loaded instead.
    Redundant,
    NotNeeded,
    /// Not part of the image, as intended: the container runtime brings it.
    Injected,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Copy {
    pub path: String,
    pub soname: Option<String>,
    pub version: Option<String>,
    /// Size of the file; none for a directory of headers.
    pub bytes: Option<u64>,
    pub origin: Origin,
    /// The package that owns it.
    pub package: Option<PackageName>,
    /// By architecture, from the headers of the file's fatbins.
    pub device_code: Vec<DeviceCode>,
    pub verdict: CopyVerdict,
    pub used_by: Vec<User>,
    /// Why an unreferenced copy is not called redundant.
    pub held: Option<Held>,
    /// Further hard links: deleting the copy frees nothing as long as one of them is left.
    pub hard_links: Vec<String>,
}

/// Why a copy without a known user has to stay.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Held {
    pub why: Why,
    /// The object, Python source or other copy that holds it.
    pub by: Option<String>,
}

/// The first reason that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// No other copy with its soname is used.
    NotReplaced,
    /// Something asks for its soname and does not find it.
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

impl From<&census::Held> for Held {
    fn from(from: &census::Held) -> Self {
        let why = match from.why {
            census::Why::NotReplaced => Why::NotReplaced,
            census::Why::Unmet => Why::Unmet,
            census::Why::Driver => Why::Driver,
            census::Why::OtherMachine => Why::OtherMachine,
            census::Why::Required => Why::Required,
            census::Why::PlugIn => Why::PlugIn,
            census::Why::Finder => Why::Finder,
            census::Why::Variant => Why::Variant,
            census::Why::Mentioned => Why::Mentioned,
            census::Why::SearchPath => Why::SearchPath,
            census::Why::Needed => Why::Needed,
        };
        Held { why, by: from.by.clone() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CopyVerdict {
    Used,
    /// Nothing loads it, and another copy of the same soname is loaded.
    Redundant,
    /// No user was found; it may be a plug-in.
    Unreferenced,
    /// An object's own search path leads to it, but LD_LIBRARY_PATH overrides that with another copy.
    Shadowed,
    /// For linking only.
    Stub,
    /// Mounted by the container runtime.
    Injected,
    /// A tool or headers, not a library.
    Present,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Loaded {
    pub library: String,
    pub path: String,
    /// Other files that were mapped with it.
    pub also: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Mounted over the image by the container runtime.
    Injected,
    /// An NVIDIA wheel.
    Wheel,
    /// A package of the distribution.
    Package,
    /// A package of a conda environment.
    Conda,
    /// A CUDA toolkit that no package owns.
    Toolkit,
    /// For linking only: its functions do nothing.
    Stub,
    /// Bundled in a third-party Python package.
    Vendored,
    Other,
}

/// The libraries of an image with their copies, in the order of reports. Tools come last.
pub fn libraries(census: &Census, at_rest: bool) -> Vec<Library> {
    let library = |(known, status): (&image_audit::catalogue::Library, verdict::Status)| {
        let copies = census.copies.iter().filter(|copy| copy.library == known.name);
        let asked = census.missing.iter().chain(&census.missing_opened);
        let asked = asked.filter(|missing| missing.library == known.name);
        // Each object once, though it may need several files of a library.
        let missing_for: BTreeSet<String> = asked.flat_map(|missing| missing.by.iter().cloned()).collect();
        Library {
            name: known.name.to_owned(),
            status: status.into(),
            copies: copies.map(Copy::from).collect(),
            missing_for: missing_for.into_iter().collect(),
        }
    };
    let tool = |known: &image_audit::catalogue::Tool| {
        let found = census.tools.iter().filter(|found| found.tool == known.name);
        let copies: Vec<Copy> = found.map(Copy::from).collect();
        let status = if copies.is_empty() { Status::NotNeeded } else { Status::Present };
        Library { name: known.name.to_owned(), status, copies, missing_for: Vec::new() }
    };
    census.shown(at_rest).map(library).chain(TOOLS.iter().map(tool)).collect()
}

impl From<&census::Copy> for Copy {
    fn from(copy: &census::Copy) -> Self {
        Copy {
            path: copy.path.clone(),
            soname: copy.soname.clone(),
            version: copy.version.clone(),
            bytes: Some(copy.bytes),
            origin: copy.origin.into(),
            package: copy.package.as_ref().map(PackageName::from),
            device_code: copy.device_code.iter().map(DeviceCode::from).collect(),
            verdict: copy.verdict.into(),
            used_by: copy.users.iter().map(User::from).collect(),
            held: copy.held.as_ref().map(Held::from),
            hard_links: copy.hard_links.clone(),
        }
    }
}

impl From<&census::ToolFound> for Copy {
    fn from(found: &census::ToolFound) -> Self {
        Copy {
            path: found.path.clone(),
            soname: None,
            version: found.package.as_ref().map(|package| package.version.clone()),
            bytes: found.bytes,
            origin: found.origin.into(),
            package: found.package.as_ref().map(PackageName::from),
            device_code: Vec::new(),
            verdict: CopyVerdict::Present,
            used_by: Vec::new(),
            held: None,
            hard_links: Vec::new(),
        }
    }
}

impl From<verdict::Status> for Status {
    fn from(from: verdict::Status) -> Self {
        match from {
            verdict::Status::Present => Status::Present,
            verdict::Status::Missing => Status::Missing,
            verdict::Status::Redundant => Status::Redundant,
            verdict::Status::NotNeeded => Status::NotNeeded,
            verdict::Status::Injected => Status::Injected,
        }
    }
}

impl From<verdict::Verdict> for CopyVerdict {
    fn from(from: verdict::Verdict) -> Self {
        match from {
            verdict::Verdict::Used => CopyVerdict::Used,
            verdict::Verdict::Redundant => CopyVerdict::Redundant,
            verdict::Verdict::Unreferenced => CopyVerdict::Unreferenced,
            verdict::Verdict::Shadowed => CopyVerdict::Shadowed,
            verdict::Verdict::Stub => CopyVerdict::Stub,
            verdict::Verdict::Injected => CopyVerdict::Injected,
        }
    }
}

impl From<census::Origin> for Origin {
    fn from(from: census::Origin) -> Self {
        match from {
            census::Origin::Injected => Origin::Injected,
            census::Origin::Wheel => Origin::Wheel,
            census::Origin::Package => Origin::Package,
            census::Origin::Conda => Origin::Conda,
            census::Origin::Toolkit => Origin::Toolkit,
            census::Origin::Stub => Origin::Stub,
            census::Origin::Vendored => Origin::Vendored,
            census::Origin::Other => Origin::Other,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct User {
    pub path: String,
    pub how: How,
}

impl From<&census::User> for User {
    fn from(from: &census::User) -> Self {
        User { path: from.path.clone(), how: from.how.into() }
    }
}

/// How a user was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// DT_NEEDED.
    Needed,
    /// LD_PRELOAD or /etc/ld.so.preload: every program.
    Preload,
    /// A file name in an object that imports dlopen.
    Dlopen,
    /// Pieces of the file name in the code of an object that imports dlopen.
    Pieces,
    /// A search path of an object that imports dlopen, which nothing else explains.
    #[serde(rename = "search-path")]
    SearchPath,
    /// A file name in a Python package that uses ctypes or cuda.pathfinder.
    Python,
    /// Known behavior, such as cuDNN loading its sub-libraries.
    Convention,
    /// The metadata of an installed package requires the package that contains it.
    Required,
}

impl From<census::How> for How {
    fn from(from: census::How) -> Self {
        match from {
            census::How::Needed => How::Needed,
            census::How::Preload => How::Preload,
            census::How::Dlopen => How::Dlopen,
            census::How::Pieces => How::Pieces,
            census::How::SearchPath => How::SearchPath,
            census::How::Python => How::Python,
            census::How::Convention => How::Convention,
            census::How::Required => How::Required,
        }
    }
}

/// Code for one architecture in one object.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeviceCode {
    /// nvcc's name: `sm_90a` is code for that architecture, `compute_90` is PTX, compiled when it is loaded, `lto_90` is
    /// LTO-IR.
    pub arch: String,
    pub kind: CodeKind,
    /// As stored in the file, headers included.
    pub bytes: u64,
    /// Images of that architecture.
    pub images: u64,
    /// The newest PTX version among them, such as 8.7; null if none is PTX.
    pub ptx_version: Option<String>,
    /// How many of the images are compressed with zstd, which drivers before CUDA 12.4 do not load.
    pub zstd: u64,
}

impl From<&fatbin::DeviceCode> for DeviceCode {
    fn from(from: &fatbin::DeviceCode) -> Self {
        DeviceCode {
            arch: from.arch.clone(),
            kind: from.kind.into(),
            bytes: from.bytes,
            images: from.images,
            ptx_version: from.ptx_version.as_ref().map(ToString::to_string),
            zstd: from.zstd,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CodeKind {
    Cubin,
    Ptx,
    /// LTO-IR, which nvJitLink compiles.
    Lto,
}

impl From<fatbin::CodeKind> for CodeKind {
    fn from(from: fatbin::CodeKind) -> Self {
        match from {
            fatbin::CodeKind::Cubin => CodeKind::Cubin,
            fatbin::CodeKind::Ptx => CodeKind::Ptx,
            fatbin::CodeKind::Lto => CodeKind::Lto,
        }
    }
}
