//! The script: a text file of `key = value` lines that describes the fake GPUs and their faults. README.md
//! has the table of keys.
//!
//! It is read once per library and process: from `fake-gpu` in the directory of the library, else from the
//! file in `FAKE_GPU`, else from `/etc/fake-gpu`; without a file the defaults apply. An unknown key ends the
//! process, because a test with a misspelled key must not pass by testing the defaults.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;

use super::act;

/// Settings and their defaults; an empty default means "not set".
const SETTINGS: &[(&str, &str)] = &[
    ("gpus", "1"),
    ("name", "NVIDIA Fake H100"),
    ("sms", "8"),
    ("cc", "9.0"),
    ("memory_mib", "81920"),
    ("free_mib", "80000"),
    ("driver", "550.54.15"),
    ("cuda", "12040"),
    ("nvml", "12.550.54.15"),
    ("runtime", "12040"),
    ("cublas", "120405"),
    ("cublas_lt", "120405"),
    ("cupti", "22"),
    ("blocks_per_sm", "2"),
    ("compute_mode", "0"),
    ("mig", "0"),
    ("mig_mode", ""),
    ("confidential", "0"),
    ("released", "1"),
    ("opens_nodes", "0"),
    ("needs_compiler", "0"),
    ("reserves_gib", "0"),
    ("ecc", "1"),
    ("ecc_uncorrected", "0"),
    ("remap_pending", "0"),
    ("remap_failed", "0"),
    ("throttle", "0"),
    ("memory_temperature", "60"),
    ("fabric_state", "3"),
    ("fabric_status", "0"),
    ("used_by", "0"),
    ("persistence", "1"),
    ("pcie_gen", "5"),
    ("pcie_width", "16"),
    ("pcie_max_gen", "5"),
    ("pcie_max_width", "16"),
    ("nvlinks", "18"),
    ("nvlink_down", "0"),
    ("nsmid_gap", "0"),
    ("cupti_kernel_name_ok", "1"),
    ("counters", "1"),
    ("lost", "0"),
    ("gemm_ignores_tf32", "0"),
    ("bad_sm", ""),
    ("hide_sm", ""),
    ("wrong_gemm", ""),
    ("wrong_copy", ""),
];

/// Every symbol of the libraries starts with one of these, and every symbol is a key.
const SYMBOLS: &[&str] = &["cu", "nvml"];

static SCRIPT: OnceLock<BTreeMap<String, String>> = OnceLock::new();

/// The script's value for one GPU (`gpu.N.key`), else for all (`key`).
pub fn lookup(gpu: Option<u32>, key: &str) -> Option<&'static str> {
    let script = SCRIPT.get_or_init(read);
    gpu.and_then(|gpu| script.get(&format!("gpu.{gpu}.{key}")))
        .or_else(|| script.get(key))
        .map(String::as_str)
}

/// A setting as text: the script's value or the default.
pub fn text(gpu: Option<u32>, key: &str) -> &'static str {
    lookup(gpu, key)
        .unwrap_or_else(|| SETTINGS.iter().find(|(name, _)| *name == key).map_or("", |(_, value)| *value))
}

/// A setting as a number, decimal or after `0x`.
pub fn number(gpu: Option<u32>, key: &str) -> u64 {
    option(gpu, key).unwrap_or(0)
}

/// A setting that may be absent.
pub fn option(gpu: Option<u32>, key: &str) -> Option<u64> {
    let value = text(gpu, key);
    if value.is_empty() {
        return None;
    }
    let parsed = match value.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => u64::from_str(value).ok(),
    };
    Some(parsed.unwrap_or_else(|| act::give_up(&format!("{key} = {value}: not a number"))))
}

fn read() -> BTreeMap<String, String> {
    let named = || std::env::var_os("FAKE_GPU").map(PathBuf::from);
    let path =
        super::driver::next_to_library("fake-gpu").or_else(named).unwrap_or_else(|| "/etc/fake-gpu".into());
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&text).unwrap_or_else(|problem| act::give_up(&problem)),
        Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
        Err(error) => act::give_up(&format!("{}: {error}", path.display())),
    }
}

fn parse(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut script = BTreeMap::new();
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(|| format!("{line}: not `key = value`"))?;
        let key = key.trim();
        if !known(key) {
            return Err(format!("{key}: no such key"));
        }
        script.insert(key.to_string(), value.trim().to_string());
    }
    Ok(script)
}

fn known(key: &str) -> bool {
    let key = match key.strip_prefix("gpu.") {
        None => key,
        Some(rest) => match rest.split_once('.') {
            Some((gpu, key)) if gpu.parse::<u32>().is_ok() => key,
            _ => return false,
        },
    };
    SETTINGS.iter().any(|(name, _)| *name == key) || SYMBOLS.iter().any(|prefix| key.starts_with(prefix))
}
