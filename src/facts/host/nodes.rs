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

impl Node {
    /// `/dev/nvidia0`, but not `/dev/nvidia-modeset`.
    pub fn is_gpu(&self) -> bool {
        let number = self.path.strip_prefix("/dev/nvidia");
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_nodes_are_gpus() {
        let is_gpu = |path: &str| {
            let node = Node { path: path.to_owned(), mode: 0o666, uid: 0, gid: 0, major: 195, minor: 0 };
            node.is_gpu()
        };
        let others =
            ["/dev/nvidia", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-caps/nvidia-cap1", "/dev/sda"];
        assert!(["/dev/nvidia0", "/dev/nvidia15"].into_iter().all(is_gpu) && !others.into_iter().any(is_gpu));
    }
}
