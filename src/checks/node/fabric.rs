//! Finds machines whose NVLink fabric is not ready.

use crate::checks::shared::faults::init_failure;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, GpuRef, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.fabric",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The NVLink fabric is not ready",
    why: "The fabric manager must register GPUs behind NVSwitch before CUDA can use them; nvidia-smi works without it. \
          The fabric manager is not installed, not running, or does not have exactly the driver's version.",
    remedy: "On the host: `sudo systemctl start nvidia-fabricmanager` (same version as the driver: check `systemctl \
             status nvidia-fabricmanager`); with confidential computing: `nvidia-smi conf-compute -grs`",
    explains: &["device.fabric", "driver.init", "driver.no-devices", "driver.nvml", "probe.nothing-verified"],
    codes: &[(Library::Driver, 802), (Library::Runtime, 802)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some((802, phrase)) = init_failure(facts) else { return Outcome::Pass };
    let mut problem = Problem::new("CUDA reports that the system is not ready.").evidence(phrase);
    for gpu in facts.nvml_devices() {
        if let Some(fabric) = gpu.fabric.known() {
            let (name, state, status) = (GpuRef::of_index(gpu.index), &fabric.state, fabric.status);
            problem = problem.evidence(format!("{name}: fabric {state}, status {status}"));
        }
    }
    Some(problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Fabric;
    use crate::facts::sample::{Sample, fault};
    use crate::model::{Field, Stage};

    #[test]
    fn a_system_that_is_not_ready_is_told_with_the_fabric_of_each_gpu() {
        let problems = |code| {
            let fabric = Fabric { state: "in-progress".into(), status: 0 };
            let sample = Sample::machine(2).nvml(1, |gpu| gpu.fabric = Field::Known(fabric));
            judge(&sample.fault(None, Stage::DriverInit, fault("cuInit", code)).facts()).problems()
        };
        let evidence = &problems(802)[0].evidence;
        assert_eq!(evidence[2].text, "NVML GPU 1: fabric in-progress, status 0");
        assert!(problems(999).is_empty());
    }
}
