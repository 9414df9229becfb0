//! Readers of databases that are private where they belong.

pub use crate::facts::packages::Package;

#[path = "facts/packages/rpm.rs"]
pub mod rpm;
#[path = "facts/packages/sqlite.rs"]
pub mod sqlite;
