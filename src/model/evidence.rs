//! What a finding rests on.

use serde::{Deserialize, Serialize};

/// A line of evidence, and the file that it is about, where it is about one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Evidence {
    pub text: String,
    /// In the image, beginning with `/`.
    pub path: Option<String>,
}

impl Evidence {
    /// A line that begins with the path of the file that it is about, such as `/usr/lib/x.so: 12 bytes`.
    pub fn of(path: &str, rest: &str) -> Self {
        Evidence { text: format!("{path}{rest}"), path: Some(path.to_owned()) }
    }
}

impl<T: Into<String>> From<T> for Evidence {
    fn from(text: T) -> Self {
        Evidence { text: text.into(), path: None }
    }
}
