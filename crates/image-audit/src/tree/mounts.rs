//! Which mount points of the running root are left out: file systems of the kernel, of other machines and of container
//! engines.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// File systems of the kernel, which have no files of the image.
const KERNEL: [&str; 18] = [
    "proc",
    "sysfs",
    "devtmpfs",
    "devpts",
    "cgroup",
    "cgroup2",
    "mqueue",
    "securityfs",
    "debugfs",
    "tracefs",
    "bpf",
    "fusectl",
    "pstore",
    "hugetlbfs",
    "autofs",
    "configfs",
    "efivarfs",
    "binfmt_misc",
];

/// File systems of other machines and of object stores. Some sandboxes have all their files on one of them.
const REMOTE: [&str; 15] = [
    "nfs",
    "nfs4",
    "cifs",
    "ceph",
    "lustre",
    "gpfs",
    "beegfs",
    "wekafs",
    "9p",
    "virtiofs",
    "fuse.sshfs",
    "fuse.gcsfuse",
    "fuse.s3fs",
    "fuse.juicefs",
    "fuse.rclone",
];

/// Where container engines keep the layers and mounts of their images, which are no files of this root.
pub const ENGINES: [&str; 4] = [
    "/var/lib/docker/overlay2",
    "/var/lib/docker/rootfs",
    "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs",
    "/var/lib/containers/storage/overlay",
];

/// Mount points and directories of the running root that are left out, by the mount table.
pub fn left_out(mounts: &str) -> BTreeSet<PathBuf> {
    let mounts: Vec<(&str, &str)> = mounts
        .lines()
        .filter_map(|line| {
            let (place, kind) = line.split_once(" - ")?;
            Some((place.split(' ').nth(4)?, kind.split(' ').next()?))
        })
        .collect();
    // Of several mounts at one place, the last is on top.
    let of_root = mounts.iter().rev().find(|(place, _)| *place == "/").map(|(_, kind)| *kind);
    let foreign = mounts
        .iter()
        .filter(|(_, kind)| KERNEL.contains(kind) || REMOTE.contains(kind) && of_root != Some(*kind));
    // The usual mount points are left out even without a mount table.
    let usual = ["/proc", "/sys", "/dev"].into_iter();
    let places = foreign.map(|(place, _)| *place).chain(usual).chain(ENGINES);
    places.filter(|place| *place != "/").map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_file_systems_are_left_out_of_the_running_root() {
        let mounts = |of_root: &str, places: &[(&str, &str)]| {
            let line = |(place, kind): &(&str, &str)| format!("2 1 0:5 / {place} rw - {kind} none rw\n");
            let table: String = [("/", of_root)].iter().chain(places).map(line).collect();
            let usual = ["/proc", "/sys", "/dev"].iter().chain(&ENGINES).map(PathBuf::from);
            let mut found = left_out(&table);
            usual.for_each(|path| assert!(found.remove(&path), "{path:?}"));
            found.into_iter().collect::<Vec<_>>()
        };
        let places = [
            ("/home", "ext4"),
            ("/run/secrets", "tmpfs"),
            ("/sys/fs/bpf", "bpf"),
            ("/scratch", "gpfs"),
            ("/models", "fuse.gcsfuse"),
            ("/mnt/c", "9p"),
        ];
        let of = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(mounts("overlay", &places), of(&["/mnt/c", "/models", "/scratch", "/sys/fs/bpf"]));
        // A sandbox that has all its files from its host that way.
        assert_eq!(mounts("9p", &places), of(&["/models", "/scratch", "/sys/fs/bpf"]));
    }
}
