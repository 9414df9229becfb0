//! Does the driver support the CUDA that the image was built with? The driver is the machine's, or the image's own.

use std::fmt;

use super::asked::Asked;
use super::compat_driver::{Compat, Works};
use super::runtime::{self, Runtime};
use crate::facts::target_machine::known::DriverCuda;

pub enum Answer<'a> {
    /// No library shows which CUDA the programs were built with.
    NoRuntime {
        driver: DriverCuda,
        /// What PTX shows of it.
        least: Option<Runtime<'a>>,
    },
    Compared(Compared<'a>),
    /// The machine's driver is too old, and the compatibility driver of the image replaces it.
    Compat {
        runtime: Runtime<'a>,
        driver: DriverCuda,
        compat: &'a Compat<'a>,
    },
    /// LD_LIBRARY_PATH puts the compatibility driver first, and it does not work on this machine.
    CompatRefused {
        compat: &'a Compat<'a>,
        why: String,
    },
    /// It is unknown whether the compatibility driver works on this machine.
    CompatUnknown {
        compat: &'a Compat<'a>,
        why: String,
    },
}

/// The runtime against the driver that the loader finds first.
pub struct Compared<'a> {
    pub runtime: Runtime<'a>,
    pub driver: DriverCuda,
    pub fit: Fit,
    /// That driver, where it is the image's own.
    pub in_front: Option<&'a Compat<'a>>,
    /// Why the compatibility driver of the image does not help.
    pub refused: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    Full,
    /// By minor-version compatibility.
    Minor,
    TooOld,
    Unknown,
}

impl Answer<'_> {
    /// The newest CUDA that programs can use with it.
    pub fn effective(&self) -> DriverCuda {
        match self {
            Answer::NoRuntime { driver, .. } => *driver,
            Answer::Compared(compared) => compared.driver,
            Answer::Compat { compat, .. } => compat.cuda(),
            Answer::CompatRefused { .. } | Answer::CompatUnknown { .. } => DriverCuda::Unknown,
        }
    }
}

impl Answer<'_> {
    /// How bad it is; the worst installation decides.
    pub fn rank(&self) -> u32 {
        match self {
            Answer::Compared(Compared { fit: Fit::Full, .. }) => 0,
            Answer::Compat { .. } | Answer::Compared(Compared { fit: Fit::Minor, .. }) => 1,
            Answer::Compared(Compared { fit: Fit::Unknown, .. }) => 2,
            Answer::NoRuntime { .. } | Answer::CompatUnknown { .. } => 2,
            Answer::Compared(Compared { fit: Fit::TooOld, .. }) | Answer::CompatRefused { .. } => 3,
        }
    }
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let words = |runtime: &Runtime, driver: DriverCuda| {
            format!("{} on {}", runtime.short(), driver.text().as_deref().unwrap_or("?"))
        };
        match self {
            Answer::NoRuntime { .. } => write!(out, "?"),
            Answer::Compared(compared) => write!(out, "{}", words(&compared.runtime, compared.driver)),
            Answer::Compat { runtime, driver, .. } => write!(out, "{}, compat", words(runtime, *driver)),
            Answer::CompatRefused { .. } => write!(out, "compat refused"),
            Answer::CompatUnknown { .. } => write!(out, "compat ?"),
        }
    }
}

pub fn ask<'a>(asked: &'a Asked<'a>) -> Answer<'a> {
    let (machine, driver) = (asked.machine, asked.driver);
    let (mut effective, mut in_front) = (driver, None);
    if let Some(compat) = asked.compat.as_ref().filter(|compat| compat.in_front) {
        match compat.works(machine) {
            Works::Yes => (effective, in_front) = (compat.cuda(), Some(compat)),
            Works::SameVersion => {}
            Works::No(why) => return Answer::CompatRefused { compat, why },
            Works::Unknown(why) => return Answer::CompatUnknown { compat, why },
        }
    }
    let runtime = match asked.runtime {
        Some(runtime) => runtime,
        None => {
            let least = asked.frameworks.first().and_then(|framework| runtime::least(framework));
            // A driver that is too old for the PTX is too old for the runtime.
            match least.filter(|least| fit(least, effective) == Fit::TooOld) {
                Some(least) => least,
                None => return Answer::NoRuntime { driver: effective, least },
            }
        }
    };
    let fit = fit(&runtime, effective);
    let runs = |fit| matches!(fit, Fit::Full | Fit::Minor);
    // The container runtime mounts the compatibility driver by itself; it matters where it is needed.
    let behind = asked.compat.as_ref().filter(|compat| !compat.in_front && !runs(fit));
    let mut refused = None;
    if let Some(compat) = behind {
        match compat.works(machine) {
            Works::Yes if runs(self::fit(&runtime, compat.cuda())) => {
                return Answer::Compat { runtime, driver, compat };
            }
            Works::Yes | Works::SameVersion => {}
            Works::No(why) => refused = Some(why),
            Works::Unknown(why) => {
                let alone = match fit {
                    Fit::TooOld => "The machine's driver is too old.",
                    _ => "It is unknown whether the machine's driver is new enough.",
                };
                return Answer::CompatUnknown { compat, why: format!("{alone} {why}") };
            }
        }
    }
    Answer::Compared(Compared { runtime, driver: effective, fit, in_front, refused })
}

fn fit(runtime: &Runtime, driver: DriverCuda) -> Fit {
    let of_minor = |minor| driver.reaches((runtime.major, minor));
    // Since CUDA 11 every driver of the major version is enough.
    let lowest = if runtime.major >= 11 { Some(0) } else { runtime.minor };
    match (runtime.minor.and_then(of_minor), lowest.and_then(of_minor)) {
        (Some(true), _) => Fit::Full,
        // Without a minor version there is nothing to report.
        (None, Some(true)) if runtime.minor.is_none() => Fit::Full,
        (_, Some(true)) => Fit::Minor,
        (_, Some(false)) => Fit::TooOld,
        (_, None) if runtime.major < 11 && of_minor(0) == Some(false) => Fit::TooOld,
        _ => Fit::Unknown,
    }
}
