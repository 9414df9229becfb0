//! Locates the sources of the probe for cudacheck's build script. The program itself is `main.rs`, built with the
//! feature `program`.

#![forbid(unsafe_code)]

/// The directory of this package, in a workspace, in Cargo's registry cache or in a vendored copy.
pub const DIRECTORY: &str = env!("CARGO_MANIFEST_DIR");
