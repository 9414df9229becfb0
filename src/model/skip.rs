//! Why a stage was skipped.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a stage did not run on a GPU that may be healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    /// The compute mode allows no contexts.
    Prohibited,
    /// The compute mode allows a single context, and the probe's would lock the application out.
    Exclusive,
    /// Too little GPU memory is free. Both in bytes.
    LowMemory { free: u64, needed: u64 },
}

impl Skip {
    /// The GPU is in use, which is not a fault.
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
                write!(out, "{} MiB of GPU memory is free, {} MiB may be needed", free >> 20, needed >> 20)
            }
        }
    }
}
