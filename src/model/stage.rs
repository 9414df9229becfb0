//! The stages of a probe.

use std::fmt;

use serde::{Deserialize, Serialize};

/// In the order they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Start,
    Nodes,
    LoadNvml,
    NvmlInit,
    NvmlDevice,
    LoadDriver,
    DriverInit,
    Enumerate,
    Context,
    Jit,
    Launch,
    Compare,
    LoadRuntime,
    Runtime,
    LoadBlas,
    BlasInit,
    Gemm,
    GemmTiming,
    LoadCupti,
    Cupti,
}

impl Stage {
    pub fn name(self) -> &'static str {
        match self {
            Stage::Start => "start",
            Stage::Nodes => "nodes",
            Stage::LoadNvml => "load-nvml",
            Stage::NvmlInit => "nvml-init",
            Stage::NvmlDevice => "nvml-device",
            Stage::LoadDriver => "load-driver",
            Stage::DriverInit => "driver-init",
            Stage::Enumerate => "enumerate",
            Stage::Context => "context",
            Stage::Jit => "jit",
            Stage::Launch => "launch",
            Stage::Compare => "compare",
            Stage::LoadRuntime => "load-runtime",
            Stage::Runtime => "runtime",
            Stage::LoadBlas => "load-blas",
            Stage::BlasInit => "blas-init",
            Stage::Gemm => "gemm",
            Stage::GemmTiming => "gemm-timing",
            Stage::LoadCupti => "load-cupti",
            Stage::Cupti => "cupti",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.pad(self.name())
    }
}
