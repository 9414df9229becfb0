//! The NVIDIA kernel module: version, flavor, parameters, and the major numbers of its devices.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::files::read;

/// The NVIDIA kernel module, as described in /proc/driver/nvidia.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// Such as `550.54.15`.
    pub version: Option<String>,
    /// The open kernel module.
    pub open: bool,
    /// RmProfilingAdminOnly: only administrators may read hardware counters.
    pub counters_admin_only: Option<bool>,
    /// uvm_disable_hmm of nvidia_uvm.
    pub hmm_disabled: Option<bool>,
}

pub fn module() -> Option<Module> {
    let text = read("/proc/driver/nvidia/version").ok()?;
    let parameters = read("/proc/driver/nvidia/params").unwrap_or_default();
    let hmm = read("/sys/module/nvidia_uvm/parameters/uvm_disable_hmm").ok();
    let hmm_disabled = hmm.map(|value| matches!(value.trim(), "Y" | "1"));
    Some(Module { hmm_disabled, ..parse_module(&text, &parameters) })
}

fn parse_module(version: &str, parameters: &str) -> Module {
    let line = version.lines().find(|line| line.starts_with("NVRM version:")).unwrap_or_default();
    let looks_like_version =
        |word: &&str| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    let restricted = parameters.lines().find_map(|line| line.strip_prefix("RmProfilingAdminOnly:"));
    Module {
        version: line.split_whitespace().find(looks_like_version).map(str::to_owned),
        open: line.contains("Open Kernel Module"),
        counters_admin_only: restricted.map(|value| value.trim() == "1"),
        hmm_disabled: None,
    }
}

pub fn majors() -> BTreeMap<String, u32> {
    parse_majors(&read("/proc/devices").unwrap_or_default())
}

/// Major numbers of the NVIDIA drivers, from the character devices of /proc/devices.
fn parse_majors(text: &str) -> BTreeMap<String, u32> {
    let characters = text.lines().skip(1).take_while(|line| !line.is_empty());
    let pairs = characters.filter_map(|line| {
        let (number, name) = line.trim().split_once(' ')?;
        Some((name.to_owned(), number.parse().ok()?))
    });
    pairs.filter(|(name, _)| name.starts_with("nvidia")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_flavor_and_counters_of_the_module() {
        let closed = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  gcc 12.2.0\n";
        let module = parse_module(closed, "ResmanDebugLevel: 4294967295\nRmProfilingAdminOnly: 1\n");
        assert_eq!(
            module,
            Module {
                version: Some("535.104.05".into()),
                open: false,
                counters_admin_only: Some(true),
                hmm_disabled: None
            }
        );
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.124.06  Release Build\n";
        let module = parse_module(open, "");
        assert_eq!(
            module,
            Module {
                version: Some("570.124.06".into()),
                open: true,
                counters_admin_only: None,
                hmm_disabled: None
            }
        );
        assert_eq!(parse_module("", "").version, None);
    }

    #[test]
    fn majors_of_character_devices_only() {
        let text = "Character devices:\n  1 mem\n195 nvidia\n195 nvidiactl\n511 nvidia-uvm\n\nBlock devices:\n 77 nvidia-block\n";
        let majors = parse_majors(text);
        assert_eq!(majors.get("nvidia-uvm"), Some(&511));
        assert_eq!(majors.len(), 3);
    }
}
