//! CUDA does not initialise.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::faults::{faults, phrase};
use crate::checks::shared::loading::libcuda_loaded;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "driver.init",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "CUDA does not initialise",
    why: "cuInit is the first thing that every CUDA program does. Its number is none of those that say more: those \
          have findings of their own.",
    remedy: "Run `cudacheck explain NUMBER` with the number above; then `nvidia-smi` and `dmesg | grep -i nvrm` on \
             the host, and compare the versions of driver and library",
    explains: &["driver.nvml", "driver.no-devices", "probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let problem = faults(facts, Stage::DriverInit).next().map(|(_, fault)| {
        let mut problem = Problem::new(phrase(fault));
        if let Some(version) = facts.host.module.as_ref().and_then(|module| module.version.as_ref()) {
            problem = problem.evidence(format!("kernel module {version}"));
        }
        for path in libcuda_loaded(facts) {
            problem = problem.evidence(path);
        }
        if !facts.host.nodes.is_empty() && !facts.host.nodes.iter().any(|node| node.path == "/dev/nvidia-uvm")
        {
            problem = problem.evidence("/dev/nvidia-uvm does not exist");
        }
        if let Some(value) = facts.host.environment.get("CUDA_VISIBLE_DEVICES") {
            problem = problem.evidence(format!("CUDA_VISIBLE_DEVICES={value}"));
        }
        problem
    });
    problem.into()
}
