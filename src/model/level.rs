//! Levels of verification.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How much to verify. Each level includes those before it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Audit the libraries of the image; load nothing
    #[default]
    Image,
    /// Open the device nodes and query NVML for the state of each GPU
    Nvml,
    /// Initialize CUDA and list its devices
    Driver,
    /// Run a kernel on every SM
    Smoke,
    /// Multiply matrices with cuBLAS, copy with libcudart, trace with CUPTI
    Gemm,
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Level::Image => "image",
            Level::Nvml => "nvml",
            Level::Driver => "driver",
            Level::Smoke => "smoke",
            Level::Gemm => "gemm",
        }
    }

    /// Queries NVML and the driver at most.
    pub fn creates_no_context(self) -> bool {
        self <= Level::Driver
    }
}

impl fmt::Display for Level {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_json_and_name_are_the_same() {
        for level in Level::value_variants() {
            let flag = level.to_possible_value().expect("no level is hidden");
            assert_eq!(flag.get_name(), level.name());
            assert_eq!(serde_json::to_value(level).unwrap(), level.name());
        }
    }
}
