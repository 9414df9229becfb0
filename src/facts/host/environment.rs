//! Environment variables that affect GPU libraries, here and in process 1.

use std::collections::BTreeMap;
use std::fs;

/// The variables that are recorded. Their values are paths, numbers and device names, never secrets.
const VARIABLES: [&str; 17] = [
    "CUDA_DEVICE_ORDER",
    "CUDA_DISABLE_PTX_JIT",
    "CUDA_FORCE_PTX_JIT",
    "CUDA_HOME",
    "CUDA_INJECTION64_PATH",
    "CUDA_MPS_PIPE_DIRECTORY",
    "CUDA_VERSION",
    "CUDA_VISIBLE_DEVICES",
    "KUBERNETES_SERVICE_HOST",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "NVIDIA_DISABLE_REQUIRE",
    "NVIDIA_DRIVER_CAPABILITIES",
    "NVIDIA_REQUIRE_CUDA",
    "NVIDIA_TF32_OVERRIDE",
    "NVIDIA_VISIBLE_DEVICES",
    "NV_GPU",
];

/// The variables of this process.
pub fn environment() -> BTreeMap<String, String> {
    let recorded = |name: &str| {
        let value = std::env::var_os(name)?;
        // Whether there is an API server is recorded, not its address.
        let is_address = name == "KUBERNETES_SERVICE_HOST";
        Some(if is_address { "set".to_owned() } else { value.to_string_lossy().into_owned() })
    };
    VARIABLES.iter().filter_map(|name| Some((name.to_string(), recorded(name)?))).collect()
}

/// The variables that decide which libraries and GPUs a program gets.
const DECISIVE: [&str; 3] = ["CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "LD_PRELOAD"];

/// Those of [`DECISIVE`] that are different in process 1. Only meaningful in a container.
pub fn differs_in_first(environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let bytes = fs::read("/proc/1/environ").unwrap_or_default();
    let variables =
        bytes.split(|byte| *byte == 0).filter_map(|text| std::str::from_utf8(text).ok()?.split_once('='));
    let differs = |(name, value): &(&str, &str)| {
        DECISIVE.contains(name) && environment.get(*name).map(String::as_str) != Some(*value)
    };
    variables.filter(differs).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
