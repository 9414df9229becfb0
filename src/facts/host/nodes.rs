//! Device nodes: listed, never opened. The probe opens them.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use rustix::fs::{major, minor};
use serde::{Deserialize, Serialize};

/// A device node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub major: u32,
    pub minor: u32,
}

/// The device nodes of the NVIDIA drivers, of WSL and of Jetson, by path.
pub fn nodes() -> Vec<Node> {
    let mut nodes = Vec::new();
    for directory in ["/dev", "/dev/nvidia-caps", "/dev/nvidia-caps-imex-channels"] {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let known =
                name.starts_with("nvidia") || name.starts_with("channel") || name == "dxg" || name == "nvmap";
            if !known {
                continue;
            }
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            if !metadata.file_type().is_char_device() {
                continue;
            }
            nodes.push(Node {
                path: entry.path().to_string_lossy().into_owned(),
                mode: metadata.mode() & 0o777,
                uid: metadata.uid(),
                gid: metadata.gid(),
                major: major(metadata.rdev()),
                minor: minor(metadata.rdev()),
            });
        }
    }
    nodes.sort_by(|a, b| a.path.cmp(&b.path));
    nodes
}
