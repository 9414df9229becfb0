//! Compute mode.

use serde::{Deserialize, Serialize};

/// Which processes may create contexts on a GPU, as set by `nvidia-smi -c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ComputeMode {
    Default,
    ExclusiveThread,
    Prohibited,
    ExclusiveProcess,
}

impl ComputeMode {
    /// A single context or process may use the GPU.
    pub fn is_exclusive(self) -> bool {
        matches!(self, ComputeMode::ExclusiveThread | ComputeMode::ExclusiveProcess)
    }
}
