//! Evidence for a finding.

use serde::{Deserialize, Serialize};

/// A line of evidence, and the file that it is about, if any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Evidence {
    pub text: String,
    /// Absolute, within the image.
    pub path: Option<String>,
}

impl Evidence {
    /// A line that begins with the path of its file, such as `/usr/lib/x.so: 12 bytes`.
    pub fn of(path: &str, rest: &str) -> Self {
        Evidence { text: format!("{path}{rest}"), path: Some(path.to_owned()) }
    }
}

impl<T: Into<String>> From<T> for Evidence {
    fn from(text: T) -> Self {
        Evidence { text: text.into(), path: None }
    }
}
