//! Secrets in files, in the environment and in the build history of an image.
//!
//! A value is inspected and forgotten: neither it nor any part of it is kept, returned or printed.

mod environment;
pub(crate) mod files;
mod history;
mod kind;
mod patterns;
pub(crate) mod scan;

pub use environment::in_environment;
pub use files::{LIMIT, in_file, wants};
pub use history::in_history;
pub use kind::{Kind, Secret};

#[cfg(test)]
mod tests;
