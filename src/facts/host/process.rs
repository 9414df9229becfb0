//! The credentials of this process.

use serde::{Deserialize, Serialize};

use super::files::read;

/// The credentials of this process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Process {
    pub pid: u32,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    /// Bit mask of effective capabilities.
    pub capabilities: u64,
    /// Seccomp mode: 0 none, 1 strict, 2 filter.
    pub seccomp: u32,
    /// SELinux context or AppArmor profile.
    pub label: Option<String>,
    /// In a user namespace that maps IDs: rootless.
    pub user_namespace: bool,
}

/// CAP_SYS_ADMIN in the mask.
const SYS_ADMIN: u64 = 1 << 21;

impl Process {
    pub fn is_admin(&self) -> bool {
        self.capabilities & SYS_ADMIN != 0
    }
}

pub fn process() -> Process {
    let read = |path: &str| read(path).unwrap_or_default();
    let label = read("/proc/self/attr/current").trim_matches(['\0', '\n']).to_owned();
    Process {
        label: Some(label).filter(|label| !label.is_empty() && label != "unconfined"),
        user_namespace: is_mapped(&read("/proc/self/uid_map")),
        ..parse_status(&read("/proc/self/status"))
    }
}

fn parse_status(text: &str) -> Process {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(str::trim).unwrap_or_default()
    };
    // Real, effective, saved and file system ID.
    let effective =
        |name| field(name).split_whitespace().nth(1).and_then(|id| id.parse().ok()).unwrap_or_default();
    Process {
        pid: std::process::id(),
        uid: effective("Uid"),
        gid: effective("Gid"),
        groups: field("Groups").split_whitespace().filter_map(|group| group.parse().ok()).collect(),
        capabilities: u64::from_str_radix(field("CapEff"), 16).unwrap_or_default(),
        seccomp: field("Seccomp").parse().unwrap_or_default(),
        ..Process::default()
    }
}

/// Whether a user namespace maps IDs to different ones.
fn is_mapped(uid_map: &str) -> bool {
    let fields: Vec<&str> = uid_map.split_whitespace().collect();
    !fields.is_empty() && fields != ["0", "0", "4294967295"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_groups_and_capabilities_are_read_from_status() {
        let text = "Name:\tx\nUid:\t0\t65534\t0\t0\nGid:\t0\t7\t0\t0\nGroups:\t44 107 \nCapEff:\t0000000000200000\nSeccomp:\t2\n";
        let process = parse_status(text);
        assert_eq!(
            (process.uid, process.gid, process.groups.as_slice(), process.seccomp),
            (65534, 7, &[44, 107][..], 2)
        );
        assert!(process.is_admin() && !parse_status("").is_admin());
    }
}
