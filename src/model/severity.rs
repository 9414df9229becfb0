//! How bad a finding is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// In order: each is worse than those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing: it works, or is as intended.
    Note,
    /// It works now, and something is wrong.
    Warning,
    /// It could not be determined whether it works.
    Unknown,
    /// It does not work.
    Error,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Unknown => "unknown",
            Severity::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.pad(self.name())
    }
}
