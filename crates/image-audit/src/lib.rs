//! Audits a container image without running it: which CUDA libraries it has, who loads each copy, and which are
//! missing or redundant. It also finds build leftovers, caches, secrets, and bytes that layers ship and hide.
//!
//! The image is a directory, the running root, a `docker save` archive, an OCI archive or an OCI layout.
//! Nothing in it is executed, and archives are not unpacked. Dependencies are resolved as the image's own
//! loader (glibc or musl) resolves them.
//!
//! ```
//! use image_audit::{Audit, Verdict};
//!
//! # let directory = tempfile::tempdir()?;
//! # let root = directory.path();
//! let census = Audit::directory(root).run()?;
//! for copy in census.copies_with(Verdict::Redundant) {
//!     println!("{} ({} bytes) can be deleted", copy.path, copy.bytes);
//! }
//! for missing in &census.missing {
//!     println!("{} needs {}", missing.by[0], missing.soname);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Audit::read`] returns the files, the configuration and the layers as well.
//!
//! # Hostile images
//!
//! Images are not trusted. Memory grows with the number of files and never with a size that a file claims.
//! Links are followed inside the image only. Damage is reported in [`Census::unreadable`]. The parsers are
//! fuzzed (feature `fuzzing`, not part of the stable interface).

#![forbid(unsafe_code)]
#![cfg_attr(not(feature = "fuzzing"), warn(missing_docs))]

mod archive;
mod audit;
mod bytes;
mod coverage;
mod elf;
mod path_index;
mod paths;
mod python;
mod strings;
mod threads;
mod usage;
mod wheels;

pub mod catalogue;
pub mod census;
pub mod config;
pub mod fatbin;
pub mod leftovers;
pub mod loader;
pub mod packages;
pub mod secrets;
pub mod tree;
pub mod verdict;

#[cfg(feature = "fuzzing")]
pub mod fuzzing;

pub use audit::{Audit, Error, Level, Source, is_archive};
pub use census::Census;
pub use elf::{Elf, Forward, VersionsNeeded};
pub use verdict::Verdict;

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
