//! How the user selects a GPU: by CUDA's ordinal or by UUID.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum GpuSelector {
    Ordinal(u32),
    /// With its prefix, GPU- or MIG-.
    Uuid(String),
}

impl GpuSelector {
    /// Whether it names the device with this ordinal and this UUID, which has no prefix in CUDA.
    pub fn names(&self, ordinal: u32, uuid: &str) -> bool {
        match self {
            GpuSelector::Ordinal(number) => *number == ordinal,
            GpuSelector::Uuid(named) => named.get(4..) == Some(uuid),
        }
    }
}

impl From<&str> for GpuSelector {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| GpuSelector::Uuid(text.to_owned()), GpuSelector::Ordinal)
    }
}

impl From<String> for GpuSelector {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<GpuSelector> for String {
    fn from(selector: GpuSelector) -> Self {
        selector.to_string()
    }
}

impl fmt::Display for GpuSelector {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            GpuSelector::Ordinal(number) => write!(out, "{number}"),
            GpuSelector::Uuid(uuid) => out.write_str(uuid),
        }
    }
}
