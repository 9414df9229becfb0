//! Does an installation have code that runs on the GPU: compiled code, or PTX that the driver can compile?

use std::fmt;

use super::asked::Asked;
use super::cuda;
use super::runtime::Runtime;
use crate::checks::Problem;
use crate::checks::code::own::{self, OwnCode, Runs};
use crate::facts::target_machine::known::{self, DriverCuda};
use image_audit::fatbin::{CodeKind, PtxVersion};

pub enum Answer<'a> {
    /// Device code is read at the full level only.
    NotRead,
    /// No installation has code of its own.
    NotFound,
    /// Only LTO-IR, which is compiled at run time.
    OnlyLto {
        code: &'a OwnCode<'a>,
    },
    Compiled {
        arch: &'a str,
        code: &'a OwnCode<'a>,
        /// Objects that have no code for the GPU.
        lacking: Vec<&'a str>,
    },
    /// The CUDA of the image no longer supports the GPU.
    Dropped {
        runtime: &'a Runtime<'a>,
        oldest: u32,
        code: &'a OwnCode<'a>,
    },
    /// Few images or none.
    Few {
        images: u64,
        of: u64,
        code: &'a OwnCode<'a>,
    },
    Ptx(Ptx<'a>),
    Zstd(Zstd<'a>),
}

pub struct Ptx<'a> {
    pub arch: &'a str,
    /// The newest of its images.
    pub version: Option<PtxVersion>,
    pub code: &'a OwnCode<'a>,
    /// Whether the driver's compiler accepts it; None if unknown.
    pub compiles: Option<bool>,
    /// The CUDA of the driver that compiles it.
    pub driver: DriverCuda,
}

/// Code for the GPU that the driver does not decompress, or may not.
pub struct Zstd<'a> {
    pub arch: &'a str,
    pub code: &'a OwnCode<'a>,
    /// How many images are compressed with zstd, and of how many.
    pub images: u64,
    pub of: u64,
    /// Whether it is known that the driver does not load them.
    pub refused: bool,
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Answer::NotRead | Answer::NotFound | Answer::OnlyLto { .. } => write!(out, "?"),
            Answer::Compiled { arch, .. } => write!(out, "{arch}"),
            Answer::Dropped { .. } => write!(out, "dropped"),
            Answer::Few { images: 0, .. } => write!(out, "none"),
            Answer::Few { images, of, .. } => write!(out, "{images} of {of} images"),
            Answer::Zstd(Zstd { arch, refused: true, .. }) => write!(out, "{arch}, zstd"),
            Answer::Zstd(Zstd { arch, refused: false, .. }) => write!(out, "{arch}, zstd ?"),
            Answer::Ptx(Ptx { arch, compiles: Some(true), .. }) => write!(out, "PTX {arch}"),
            Answer::Ptx(Ptx { arch, compiles: Some(false), .. }) => write!(out, "PTX {arch}, too new"),
            Answer::Ptx(Ptx { compiles: None, .. }) => write!(out, "PTX ?"),
        }
    }
}

impl Answer<'_> {
    /// How bad it is; the worst installation decides.
    pub fn rank(&self) -> u32 {
        match self {
            Answer::Compiled { lacking, .. } if lacking.is_empty() => 0,
            Answer::Compiled { .. } => 1,
            Answer::Ptx(Ptx { compiles: Some(true), .. }) => 2,
            Answer::NotRead | Answer::NotFound | Answer::OnlyLto { .. } => 3,
            Answer::Ptx(Ptx { compiles: None, .. }) | Answer::Zstd(Zstd { refused: false, .. }) => 3,
            Answer::Ptx(Ptx { compiles: Some(false), .. }) | Answer::Zstd(Zstd { refused: true, .. }) => 4,
            Answer::Dropped { .. } | Answer::Few { .. } => 5,
        }
    }
}

impl Zstd<'_> {
    pub fn problem(&self, asked: &Asked, rest: &str) -> Problem {
        let line =
            format!("{} of {} images for {} are compressed with zstd", self.images, self.of, self.arch);
        self.code.problem(rest).evidence(line).evidence(asked.driver_text())
    }
}

impl Ptx<'_> {
    /// A problem with the two versions as evidence.
    pub fn problem(&self, asked: &Asked, rest: &str) -> Problem {
        let made_by = match (self.version, self.version.and_then(known::cuda_of_ptx), &asked.runtime) {
            (Some(version), Some((major, minor)), _) => {
                format!("the newest PTX has version {version}, of CUDA {major}.{minor}")
            }
            (Some(version), None, _) => {
                format!("the newest PTX has version {version}, which cudacheck does not know")
            }
            (None, _, Some(runtime)) => {
                format!("the PTX is assumed to be of CUDA {}, like the runtime in the image", runtime.text())
            }
            (None, _, None) => "the PTX is of an unknown CUDA version".to_owned(),
        };
        let driver = if self.driver == asked.driver {
            asked.driver_text()
        } else {
            let cuda = self.driver.text().unwrap_or_else(|| "an unknown version".to_owned());
            format!("the image's own driver supports CUDA {cuda}")
        };
        self.code.problem(rest).evidence(made_by).evidence(driver)
    }
}

pub fn ask<'a>(asked: &'a Asked<'a>) -> Answer<'a> {
    let gpu = asked.machine.gpu;
    if !asked.facts.census.full {
        return Answer::NotRead;
    }
    let Some(code) = &asked.code else { return Answer::NotFound };
    let runtime = asked.runtime.as_ref();
    // Machine code and PTX are compressed by image; the driver decompresses what it loads.
    let zstd = |kind, arch: &'a str| {
        let (images, of) = code.zstd(kind, gpu);
        let loads = cuda::ask(asked).effective().reaches(own::ZSTD);
        (images > 0 && loads != Some(true))
            .then(|| Answer::Zstd(Zstd { arch, code, images, of, refused: loads == Some(false) }))
    };
    let (arch, ptx_version) = match code.on(gpu) {
        Runs::OnlyLto => return Answer::OnlyLto { code },
        Runs::Compiled { best, lacking } => {
            let compiled = || Answer::Compiled { arch: &best.arch, code, lacking };
            return zstd(CodeKind::Cubin, &best.arch).unwrap_or_else(compiled);
        }
        Runs::Few { images, of } => {
            let oldest = runtime.and_then(|runtime| Some((runtime, known::oldest_gpu(runtime.major)?)));
            return match oldest.filter(|(_, oldest)| gpu < *oldest) {
                Some((runtime, oldest)) => Answer::Dropped { runtime, oldest, code },
                None => Answer::Few { images, of, code },
            };
        }
        Runs::Ptx { best } => (best.arch.as_str(), &best.ptx_version),
    };
    let (driver, version) = (cuda::ask(asked).effective(), *ptx_version);
    // Without a version (facts of older builds): usually the compiler of the runtime's release made it.
    let assumed = || {
        runtime.and_then(|runtime| {
            let needed = (runtime.major, runtime.minor.unwrap_or(u32::MAX));
            match (driver.reaches(needed), runtime.minor) {
                (Some(false), None) if driver.reaches((runtime.major, 0)) == Some(false) => Some(false),
                (Some(false), None) => None,
                (reaches, _) => reaches,
            }
        })
    };
    let compiles = match version {
        Some(version) => known::cuda_of_ptx(version).and_then(|cuda| driver.reaches(cuda)),
        None => assumed(),
    };
    match zstd(CodeKind::Ptx, arch) {
        Some(refused) if compiles != Some(false) => refused,
        _ => Answer::Ptx(Ptx { arch, version, code, compiles, driver }),
    }
}
