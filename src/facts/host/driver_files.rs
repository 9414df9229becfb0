//! The libraries of the driver, where they are usually installed, whether or not the loader searches there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// A libcuda or libnvidia-ml.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriverFile {
    /// Where it was found, by its soname.
    pub path: String,
    /// The file, with all links resolved.
    pub real: String,
    pub bytes: u64,
    /// Mounted by the container runtime, rather than part of the image.
    pub mounted: bool,
}

/// Where distributions, the container toolkit, GKE, WSL and NixOS install the driver.
const DIRECTORIES: [&str; 10] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/lib64",
    "/usr/local/nvidia/lib64",
    "/usr/local/nvidia/lib",
    "/usr/lib/wsl/lib",
    "/usr/lib/x86_64-linux-gnu/nvidia/current",
    "/run/opengl-driver/lib",
];

/// The files in [`DIRECTORIES`] and LD_LIBRARY_PATH.
pub fn driver_files(environment: &BTreeMap<String, String>, mounts: &[String]) -> Vec<DriverFile> {
    let path = environment.get("LD_LIBRARY_PATH").map_or("", String::as_str);
    let named = path.split([':', ';']).filter(|directory| directory.starts_with('/'));
    let mut files: Vec<DriverFile> = Vec::new();
    for directory in DIRECTORIES.into_iter().chain(named) {
        for name in ["libcuda.so.1", "libnvidia-ml.so.1"] {
            let path = format!("{}/{name}", directory.trim_end_matches('/'));
            // Most do not exist, which one system call shows; canonicalize makes one per component.
            let Ok(real) = fs::symlink_metadata(&path).and_then(|_| fs::canonicalize(&path)) else {
                continue;
            };
            let Ok(metadata) = fs::metadata(&real) else { continue };
            let real = real.to_string_lossy().into_owned();
            // The same file through two links, such as /lib64.
            if files.iter().any(|file| file.real == real) {
                continue;
            }
            let below = |mount: &String| real == *mount || real.starts_with(&format!("{mount}/"));
            files.push(DriverFile { mounted: mounts.iter().any(below), bytes: metadata.len(), path, real });
        }
    }
    if !files.iter().any(|file| file.path.ends_with("/libcuda.so.1")) {
        files.extend(unlinked(mounts));
    }
    files
}

/// A libcuda.so.VERSION without a link by its soname, because ldconfig was not run.
fn unlinked(mounts: &[String]) -> Option<DriverFile> {
    DIRECTORIES.iter().find_map(|directory| {
        let mut names = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.file_name());
        let versioned = |name: &std::ffi::OsString| {
            let version = name.to_str().and_then(|name| name.strip_prefix("libcuda.so."));
            version.is_some_and(|version| version.contains('.'))
        };
        let path = Path::new(directory).join(names.find(versioned)?);
        let bytes = fs::metadata(&path).ok()?.len();
        let path = path.to_string_lossy().into_owned();
        Some(DriverFile { mounted: mounts.contains(&path), bytes, real: path.clone(), path })
    })
}
