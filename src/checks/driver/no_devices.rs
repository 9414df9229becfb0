//! Finds containers in which CUDA initializes but lists no GPU.

use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "driver.no-devices",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "CUDA initializes but lists no GPU",
    why: "The driver works but lists no device. Usually CUDA_VISIBLE_DEVICES names none that exists: CUDA stops at the \
          first invalid entry, and inside a container GPUs are numbered from 0 again. A GPU with MIG enabled and no \
          instance is not listed either.",
    remedy: "Unset CUDA_VISIBLE_DEVICES: the container has only its own GPUs anyway",
    explains: &["probe.nothing-verified"],
    codes: &[(Library::Driver, 100), (Library::Runtime, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if !facts.probes.iter().any(|run| run.driver().any(|driver| driver.devices == 0)) {
        return Outcome::Pass;
    }
    let mut problem = Problem::new("cuInit succeeded, but cuDeviceGetCount returned 0 devices.");
    if let Some(nvml) = facts.probes.iter().find_map(|run| run.nvml().next()) {
        problem = problem.evidence(format!(
            "NVML reports {} GPU{}",
            nvml.gpus,
            if nvml.gpus == 1 { "" } else { "s" }
        ));
    }
    if let Some(value) = facts.host.environment.get("CUDA_VISIBLE_DEVICES") {
        problem = problem.evidence(format!("CUDA_VISIBLE_DEVICES={value}"));
    }
    Some(problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Event;
    use crate::facts::sample::{Sample, fault};
    use crate::model::Stage;

    #[test]
    fn a_driver_without_devices() {
        let sample = Sample::machine(2).env("CUDA_VISIBLE_DEVICES", "7").run(None, |run| {
            run.events.retain(|event| !matches!(event, Event::Device(_)));
            run.events.iter_mut().for_each(|event| {
                if let Event::Driver(driver) = event {
                    driver.devices = 0;
                }
            });
        });
        let problems = judge(&sample.facts()).problems();
        assert_eq!(problems.len(), 1);
        let evidence: Vec<&str> = problems[0].evidence.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(evidence, ["NVML reports 2 GPUs", "CUDA_VISIBLE_DEVICES=7"]);
    }

    #[test]
    fn a_driver_that_does_not_initialize_has_another_check() {
        let sample = Sample::machine(1).fault(None, Stage::DriverInit, fault("cuInit", 999));
        assert!(judge(&sample.facts()).causes().is_empty());
        assert!(judge(&Sample::machine(1).facts()).causes().is_empty());
    }
}
