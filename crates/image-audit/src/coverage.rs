//! How much of an image was read, and what could not be.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

/// How much of an image was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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

impl<'de> Deserialize<'de> for Coverage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Name {
            Complete,
            Partial,
            Interrupted,
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Name(Name),
            /// Older versions wrote `incomplete: true`.
            Incomplete(bool),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Name(Name::Complete) | Written::Incomplete(false) => Coverage::Complete,
            Written::Name(Name::Partial) | Written::Incomplete(true) => Coverage::Partial,
            Written::Name(Name::Interrupted) => Coverage::Interrupted,
        })
    }
}

/// Something that could not be read. Displayed as `PATH: REASON`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unreadable {
    /// The file or directory; None if the reason names a layer or the archive.
    pub path: Option<String>,
    /// Such as `Permission denied (os error 13)`.
    pub reason: String,
}

impl Unreadable {
    /// About one path of the image.
    pub fn new(path: impl Into<String>, reason: impl Into<String>) -> Unreadable {
        Unreadable { path: Some(path.into()), reason: reason.into() }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{path}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// A line as [`Display`](fmt::Display) writes it.
impl From<String> for Unreadable {
    fn from(line: String) -> Self {
        match line.split_once(": ").filter(|(path, _)| path.starts_with('/')) {
            Some((path, reason)) => Unreadable::new(path, reason),
            None => Unreadable { path: None, reason: line },
        }
    }
}

impl<'de> Deserialize<'de> for Unreadable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Fields {
                path: Option<String>,
                reason: String,
            },
            /// Older versions wrote one line.
            Line(String),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Fields { path, reason } => Unreadable { path, reason },
            Written::Line(line) => line.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_older_versions_are_split() {
        let cases = [
            ("/secret: Permission denied", Some("/secret")),
            ("/: 2 directories were not reached", Some("/")),
            ("layer 0 (ab) /x: unknown entry type", None),
        ];
        for (line, path) in cases {
            let json = serde_json::Value::String(line.to_owned());
            let old: Unreadable = serde_json::from_value(json).unwrap();
            assert_eq!((old.path.as_deref(), old.to_string().as_str()), (path, line));
            let again: Unreadable = serde_json::from_value(serde_json::to_value(&old).unwrap()).unwrap();
            assert_eq!(again, old);
        }
    }

    #[test]
    fn coverage_is_read_as_it_is_written() {
        for coverage in [Coverage::Complete, Coverage::Partial, Coverage::Interrupted] {
            let json = serde_json::to_value(coverage).unwrap();
            assert_eq!(serde_json::from_value::<Coverage>(json).unwrap(), coverage);
        }
    }
}
