//! The dynamic loaders of the image.

use std::fs;
use std::path::Path;

/// Path of glibc's loader, which the probe requests as its interpreter.
pub const GLIBC_LOADER: &str =
    if cfg!(target_arch = "aarch64") { "/lib/ld-linux-aarch64.so.1" } else { "/lib64/ld-linux-x86-64.so.2" };

pub fn has_glibc_loader() -> bool {
    Path::new(GLIBC_LOADER).exists()
}

/// The loader of musl, if there is one.
pub fn musl_loader() -> Option<String> {
    let entries = fs::read_dir("/lib").into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.find(|name| name.starts_with("ld-musl-")).map(|name| format!("/lib/{name}"))
}
