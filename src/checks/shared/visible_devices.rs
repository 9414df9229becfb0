//! CUDA_VISIBLE_DEVICES: its value, and whether CUDA sees a device.
//!
//! How its entries select GPUs is in `facts/gpu_selection.rs`.

use crate::checks::Problem;
use crate::facts::{Facts, gpu_selection};
use crate::model::{Level, Stage};

/// What fails where CUDA sees no device.
pub const NO_DEVICES_CONSEQUENCES: &[&str] =
    &["driver.init", "driver.no-devices", "driver.too-few", "probe.nothing-verified"];

/// The value of CUDA_VISIBLE_DEVICES.
pub fn cuda_visible_devices(facts: &Facts) -> Option<&str> {
    facts.host.environment.get("CUDA_VISIBLE_DEVICES").map(String::as_str)
}

/// CUDA reported no device. At level nvml, where CUDA is not queried: the variable leaves it no device.
pub fn cuda_sees_none(facts: &Facts) -> bool {
    if facts.request.level == Level::Nvml && cuda_visible_devices(facts).is_some() {
        return gpu_selection::visible(facts).is_some_and(|visible| visible.is_empty());
    }
    facts.probes.iter().any(|run| {
        let refused = run.fault(Stage::DriverInit).is_some_and(|fault| fault.code == Some(100));
        refused || run.driver().any(|driver| driver.devices == 0)
    })
}

/// Adds the number of GPUs that NVML reports, which ignores CUDA_VISIBLE_DEVICES.
pub fn with_nvml_count(problem: Problem, facts: &Facts) -> Problem {
    match facts.probes.iter().find_map(|run| run.nvml().next()) {
        Some(nvml) if nvml.gpus == 1 => problem.evidence("NVML reports 1 GPU"),
        Some(nvml) => problem.evidence(format!("NVML reports {} GPUs", nvml.gpus)),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, fault};

    #[test]
    fn cuda_is_asked_where_it_ran() {
        assert!(!cuda_sees_none(&Sample::machine(1).env("CUDA_VISIBLE_DEVICES", "-1").facts()));
        let refused = Sample::machine(1).fault(None, Stage::DriverInit, fault("cuInit", 100)).facts();
        assert!(cuda_sees_none(&refused));
        let other = Sample::machine(1).fault(None, Stage::DriverInit, fault("cuInit", 999)).facts();
        assert!(!cuda_sees_none(&other));
    }

    #[test]
    fn at_level_nvml_the_variable_decides() {
        let sees_none = |value| {
            cuda_sees_none(&Sample::machine(2).level(Level::Nvml).env("CUDA_VISIBLE_DEVICES", value).facts())
        };
        assert!(sees_none("") && sees_none("-1") && sees_none("7,0"));
        assert!(!sees_none("1") && !sees_none("0,7"));
    }

    #[test]
    fn the_count_is_of_nvml() {
        let texts = |gpus| -> Vec<String> {
            let problem = with_nvml_count(Problem::new("x"), &Sample::machine(gpus).facts());
            problem.evidence.into_iter().map(|line| line.text).collect()
        };
        assert_eq!(texts(1), ["NVML reports 1 GPU"]);
        assert_eq!(texts(2), ["NVML reports 2 GPUs"]);
    }
}
