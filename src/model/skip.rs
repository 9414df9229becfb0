//! Why a stage was not run on a GPU that may well be healthy.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// The compute mode allows no context at all.
    Prohibited,
    /// The compute mode allows one context, and ours would lock the application out.
    Exclusive,
    /// Too little GPU memory is free, in bytes.
    LowMemory { free: u64, needed: u64 },
}

impl Skip {
    /// The GPU is in use, and works as far as anybody can tell.
    pub fn is_busy(self) -> bool {
        match self {
            Skip::Exclusive | Skip::LowMemory { .. } => true,
            Skip::Prohibited => false,
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Skip::Prohibited => write!(out, "compute mode is prohibited, which allows no context"),
            Skip::Exclusive => {
                write!(out, "compute mode is exclusive; a context would lock the application out")
            }
            Skip::LowMemory { free, needed } => {
                write!(out, "{} MiB of GPU memory are free, {} MiB may be needed", free >> 20, needed >> 20)
            }
        }
    }
}
