//! Platforms on which a GPU reaches a container by other ways.

use crate::checks::shared::access::{expects_gpu, works};
use crate::checks::shared::faults::phrase;
use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Evidence, Stage};

pub const BEYOND: &[&str] = &[
    "launch.driver-not-loaded",
    "launch.not-requested",
    "launch.libcuda-missing",
    "launch.visible-devices",
    "launch.no-gpu-selected",
    "launch.no-runtime-class",
    "driver.load",
    "driver.init",
    "driver.no-devices",
    "driver.nvml",
    "driver.nvml-failed",
    "probe.nothing-verified",
];

/// CUDA or its library did not work.
pub fn failed(facts: &Facts) -> Option<String> {
    let stages = [Stage::DriverInit, Stage::LoadDriver, Stage::NvmlInit, Stage::LoadNvml];
    let fault = facts.probes.iter().find_map(|run| stages.iter().find_map(|stage| run.fault(*stage)))?;
    Some(phrase(fault))
}

pub fn unusable(facts: &Facts, here: bool, cause: &str) -> Outcome {
    if !expects_gpu(facts) {
        return Outcome::Skip("nothing was to be run, or nothing could be opened");
    }
    if !here || works(facts) {
        return Outcome::Pass;
    }
    let mut problem = Problem::new(cause);
    problem.evidence.extend(failed(facts).map(Evidence::from));
    Some(problem).into()
}
