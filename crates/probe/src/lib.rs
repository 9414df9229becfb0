//! Where the sources of the probe are, for the build script of cudacheck; the program is `main.rs`.

/// The directory of this package's manifest: in a workspace, a registry's cache or a vendored copy.
pub const DIRECTORY: &str = env!("CARGO_MANIFEST_DIR");
