//! A package as its database describes it.

/// An installed package with its files, as its database lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub files: Vec<String>,
}
