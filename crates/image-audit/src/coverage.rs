//! How much of an image was read, and what could not be.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much of an image was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Coverage {
    /// Everything that may be a program or library.
    #[default]
    Complete,
    /// Programs may be among the files that could not be read.
    Partial,
    /// The deadline came before all directories were listed, or the root could not be listed.
    Interrupted,
}

/// Something that could not be read. Displayed as `LAYER PATH: REASON`, as far as these are known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unreadable {
    /// The layer that it is in, such as `layer 3 (0a1b2c3d4e5f)`. None in a directory, or if it is the whole archive.
    #[serde(default)]
    pub layer: Option<String>,
    /// The file or directory; None if it is a whole layer or the archive.
    pub path: Option<String>,
    /// Such as `Permission denied (os error 13)`.
    pub reason: String,
}

impl Unreadable {
    /// About one path of the image.
    pub fn new(path: impl Into<String>, reason: impl Into<String>) -> Unreadable {
        Unreadable { layer: None, path: Some(path.into()), reason: reason.into() }
    }

    /// About a whole layer or the archive.
    pub(crate) fn whole(reason: impl Into<String>) -> Unreadable {
        Unreadable { layer: None, path: None, reason: reason.into() }
    }

    pub(crate) fn in_layer(self, layer: impl Into<String>) -> Unreadable {
        Unreadable { layer: Some(layer.into()), ..self }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if let Some(layer) = &self.layer {
            write!(f, "{layer} ")?;
        }
        if let Some(path) = &self.path {
            write!(f, "{path}: ")?;
        }
        f.write_str(&self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_and_path_come_before_the_reason() {
        let file = Unreadable::new("/x", "unknown entry type");
        assert_eq!(file.to_string(), "/x: unknown entry type");
        assert_eq!(file.in_layer("layer 0 (ab)").to_string(), "layer 0 (ab) /x: unknown entry type");
        assert_eq!(Unreadable::whole("is truncated").in_layer("layer 1").to_string(), "layer 1 is truncated");
    }

    #[test]
    fn coverage_is_read_as_it_is_written() {
        for coverage in [Coverage::Complete, Coverage::Partial, Coverage::Interrupted] {
            let json = serde_json::to_value(coverage).unwrap();
            assert_eq!(serde_json::from_value::<Coverage>(json).unwrap(), coverage);
        }
    }
}
