//! Where the container runs: its engine, and platforms that pass GPUs through in ways of their own.

use crate::checks::shared::access::{gpu_works, no_gpu_expected};
use crate::checks::shared::faults::phrase;
use crate::checks::shared::nodes::node;
use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Evidence, Stage};

/// What fails where the platform passes no GPU through.
pub const PLATFORM_CONSEQUENCES: &[&str] = &[
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

/// How Podman gives a container its GPUs; it accepts --gpus and ignores it.
pub const PODMAN_RUN: &str = "`podman run --device nvidia.com/gpu=all ...`";

/// The container engine: `docker`, `podman`, `kubernetes` or `other`; none outside a container.
pub fn engine(facts: &Facts) -> Option<&str> {
    facts.host.platform.container.as_deref()
}

/// Platforms without /dev/nvidia* and /proc/driver/nvidia.
pub fn is_wsl_or_jetson(facts: &Facts) -> bool {
    facts.host.platform.wsl || facts.host.platform.jetson
}

/// The node of the GPU under WSL.
pub fn has_dxg(facts: &Facts) -> bool {
    node(facts, "/dev/dxg").is_some()
}

/// A problem with this cause, if the container is on the platform and no GPU works there.
pub fn unusable(facts: &Facts, on_platform: bool, cause: &str) -> Outcome {
    if let Some(why) = no_gpu_expected(facts) {
        return Outcome::Skip(why);
    }
    if !on_platform || gpu_works(facts) {
        return Outcome::Pass;
    }
    let mut problem = Problem::new(cause);
    problem.evidence.extend(first_failure(facts).map(Evidence::from));
    Some(problem).into()
}

/// The first fault of CUDA or NVML, in words. CUDA's comes first: applications see it.
fn first_failure(facts: &Facts) -> Option<String> {
    let stages = [Stage::DriverInit, Stage::LoadDriver, Stage::NvmlInit, Stage::LoadNvml];
    let fault = facts.probes.iter().find_map(|run| stages.iter().find_map(|stage| run.fault(*stage)))?;
    Some(phrase(fault))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, fault};
    use crate::model::Level;

    #[test]
    fn a_platform_is_reported_where_no_gpu_works_there() {
        let broken = || Sample::machine(1).fault(None, Stage::DriverInit, fault("cuInit", 100));
        let Outcome::Fail(problems) = unusable(&broken().facts(), true, "cause") else { panic!("it fails") };
        assert_eq!(problems[0].cause, "cause");
        assert!(problems[0].evidence[0].text.starts_with("cuInit returned 100"));
        assert!(matches!(unusable(&broken().facts(), false, "cause"), Outcome::Pass));
        assert!(matches!(unusable(&Sample::machine(1).facts(), true, "cause"), Outcome::Pass));
        let at_rest = broken().level(Level::Image).facts();
        assert!(matches!(unusable(&at_rest, true, "cause"), Outcome::Skip(_)));
    }
}
