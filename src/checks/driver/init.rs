//! Finds containers in which cuInit fails for a reason that no other check finds.

use crate::checks::shared::faults::{faults, phrase};
use crate::checks::shared::loading::libcuda_loaded;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "driver.init",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "cuInit fails, so CUDA cannot be used",
    why: "cuInit is the first call of every CUDA program. Its error code is not one of those that have a finding of \
          their own.",
    remedy: "Run `cudacheck explain NUMBER` with the error code above; then run `nvidia-smi` and `dmesg | grep -i nvrm` \
             on the host, and compare the versions of driver and library",
    explains: &["driver.nvml", "driver.no-devices", "probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let problem = faults(facts, Stage::DriverInit).next().map(|(_, fault)| {
        let host = &facts.host;
        let mut problem = Problem::new(phrase(fault));
        if let Some(version) = host.module.as_ref().and_then(|module| module.version.as_ref()) {
            problem = problem.evidence(format!("kernel module {version}"));
        }
        for path in libcuda_loaded(facts) {
            problem = problem.file(&path, " was loaded");
        }
        if !host.nodes.is_empty() && !host.nodes.iter().any(|node| node.path == "/dev/nvidia-uvm") {
            problem = problem.evidence("no device node /dev/nvidia-uvm");
        }
        if let Some(value) = host.environment.get("CUDA_VISIBLE_DEVICES") {
            problem = problem.evidence(format!("CUDA_VISIBLE_DEVICES={value}"));
        }
        problem
    });
    problem.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, fault};

    #[test]
    fn a_failed_cuinit_is_told_with_what_may_explain_it() {
        let sample = Sample::machine(1)
            .fault(None, Stage::DriverInit, fault("cuInit", 304))
            .env("CUDA_VISIBLE_DEVICES", "0")
            .host(|host| host.nodes.retain(|node| node.path != "/dev/nvidia-uvm"));
        let problems = judge(&sample.facts()).problems();
        assert_eq!(problems[0].cause, "cuInit returned 304 (CUDA_ERROR_OPERATING_SYSTEM).");
        let evidence: Vec<&str> = problems[0].evidence.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(
            evidence,
            [
                "kernel module 550.54.15",
                "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15 was loaded",
                "no device node /dev/nvidia-uvm",
                "CUDA_VISIBLE_DEVICES=0",
            ]
        );
    }

    #[test]
    fn a_fault_before_cuinit_is_not_found() {
        let sample = Sample::machine(1).fault(None, Stage::LoadDriver, fault("dlopen", 1));
        assert!(judge(&sample.facts()).causes().is_empty());
    }
}
