//! Does the image have code that runs on the GPU: compiled code, or PTX that the driver can compile?

use std::fmt;

use super::asked::Asked;
use super::cuda;
use super::runtime::Runtime;
use crate::checks::Problem;
use crate::checks::code::Deciding;
use crate::facts::target_machine::known::{self, DriverCuda};
use image_audit::fatbin::{CodeKind, DeviceCode, PtxVersion, runs_on};

pub enum Answer<'a> {
    /// Device code is read at the full level only.
    NotRead,
    NotFound,
    Compiled {
        arch: &'a str,
    },
    /// The CUDA of the image no longer supports the GPU.
    Dropped {
        runtime: &'a Runtime<'a>,
        oldest: u32,
        code: &'a Deciding<'a>,
    },
    NoneRuns {
        code: &'a Deciding<'a>,
    },
    Ptx(Ptx<'a>),
}

pub struct Ptx<'a> {
    pub arch: &'a str,
    /// The newest of its images.
    pub version: Option<PtxVersion>,
    pub code: &'a Deciding<'a>,
    /// Whether the driver's compiler accepts it; None if unknown.
    pub compiles: Option<bool>,
    /// The CUDA of the driver that compiles it.
    pub driver: DriverCuda,
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Answer::NotRead | Answer::NotFound => write!(out, "?"),
            Answer::Compiled { arch } => write!(out, "{arch}"),
            Answer::Dropped { .. } => write!(out, "dropped"),
            Answer::NoneRuns { .. } => write!(out, "none"),
            Answer::Ptx(Ptx { arch, compiles: Some(true), .. }) => write!(out, "PTX {arch}"),
            Answer::Ptx(Ptx { arch, compiles: Some(false), .. }) => write!(out, "PTX {arch}, too new"),
            Answer::Ptx(Ptx { compiles: None, .. }) => write!(out, "PTX ?"),
        }
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
    // The newest, as the driver chooses. Code for one architecture only (sm_90a) covers a few kernels.
    let best = |kind| {
        let mut fit = code.code.iter().filter(|code| code.kind == kind && runs_on(code, gpu));
        let plain = |code: &&DeviceCode| !code.arch.ends_with(char::is_alphabetic);
        fit.clone().rfind(plain).or_else(|| fit.next_back())
    };
    if let Some(DeviceCode { arch, .. }) = best(CodeKind::Cubin) {
        return Answer::Compiled { arch };
    }
    let runtime = asked.runtime.as_ref();
    let oldest = runtime.and_then(|runtime| Some((runtime, known::oldest_gpu(runtime.major)?)));
    if let Some((runtime, oldest)) = oldest.filter(|(_, oldest)| gpu < *oldest) {
        return Answer::Dropped { runtime, oldest, code };
    }
    let Some(DeviceCode { arch, ptx_version, .. }) = best(CodeKind::Ptx) else {
        return Answer::NoneRuns { code };
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
    Answer::Ptx(Ptx { arch, version, code, compiles, driver })
}
