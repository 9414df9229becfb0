//! The kind of fix that a finding needs.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Fix {
    /// Restart the container as it is.
    Restart,
    /// Recreate the container from the same specification, as Kubernetes does when a liveness probe fails.
    RecreateSame,
    /// Recreate the container with different flags.
    Recreate,
    /// Rebuild the image.
    Rebuild,
    /// Change something on the host.
    Host,
    /// Wait, or stop other processes that use the GPU.
    Wait,
    /// Update cudacheck.
    Update,
}

impl Fix {
    pub fn name(self) -> &'static str {
        match self {
            Fix::Restart => "restart",
            Fix::RecreateSame => "recreate-same",
            Fix::Recreate => "recreate",
            Fix::Rebuild => "rebuild",
            Fix::Host => "host",
            Fix::Wait => "wait",
            Fix::Update => "update",
        }
    }
}

impl fmt::Display for Fix {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.pad(self.name())
    }
}
