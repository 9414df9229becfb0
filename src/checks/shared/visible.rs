//! What CUDA_VISIBLE_DEVICES lets CUDA see.

use crate::checks::Problem;
use crate::facts::event::NvmlDevice;
use crate::facts::probe::ProbeRun;
use crate::facts::{Facts, gpu_selection};
use crate::model::{Level, Stage};

pub const BEYOND: &[&str] = &["driver.init", "driver.no-devices", "driver.too-few", "probe.nothing-verified"];

/// CUDA has been asked and has no device; or it was not asked, and by its rules it would have none.
pub fn sees_none(facts: &Facts) -> bool {
    if facts.request.level == Level::Nvml && variable(facts).is_some() {
        return gpu_selection::visible(facts).is_some_and(|visible| visible.is_empty());
    }
    facts.probes.iter().any(|run| {
        let refused = run.fault(Stage::DriverInit).is_some_and(|fault| fault.code == Some(100));
        refused || run.driver().any(|driver| driver.devices == 0)
    })
}

pub fn gpus(facts: &Facts) -> impl Iterator<Item = &NvmlDevice> {
    facts.probes.iter().flat_map(ProbeRun::nvml_devices).map(AsRef::as_ref)
}

pub fn variable(facts: &Facts) -> Option<&str> {
    facts.host.environment.get("CUDA_VISIBLE_DEVICES").map(String::as_str)
}

pub fn with_sights(mut problem: Problem, facts: &Facts) -> Problem {
    if let Some(nvml) = facts.probes.iter().find_map(|run| run.nvml().next()) {
        problem = problem.evidence(format!("NVML sees {} GPUs", nvml.gpus));
    }
    problem
}
