//! How many contexts a GPU takes.

use serde::{Deserialize, Serialize};

/// As `nvidia-smi -c` sets it.
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
    pub fn is_exclusive(self) -> bool {
        matches!(self, ComputeMode::ExclusiveThread | ComputeMode::ExclusiveProcess)
    }
}
