//! Finds virtual GPUs without a valid license.

use crate::checks::shared::faults::phrase;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "node.vgpu-license",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The virtual GPU has no valid license",
    why: "A vGPU without a license refuses work or slows down after some minutes. The guest needs a token from the \
          license server.",
    remedy: "In the guest: put the client configuration token into /etc/nvidia/ClientConfigToken and run `sudo \
             systemctl restart nvidia-gridd`; `nvidia-smi -q | grep -i licen` shows the state",
    explains: &["driver.init", "driver.no-devices", "device.context", "probe.nothing-verified"],
    codes: &[(Library::Driver, NOT_LICENSED), (Library::Runtime, NOT_LICENSED)],
    judge,
};

/// CUDA_ERROR_DEVICE_NOT_LICENSED.
const NOT_LICENSED: i64 = 102;

fn judge(facts: &Facts) -> Outcome {
    let stages = [Stage::DriverInit, Stage::Context];
    let failed = |run| stages.iter().find_map(|stage| ProbeRun::fault(run, *stage)).map(|fault| (run, fault));
    let first = facts.probes.iter().find_map(failed).filter(|(_, fault)| fault.code == Some(NOT_LICENSED));
    let problem = first.map(|(run, fault)| {
        Problem::new("CUDA reports that the device is not licensed.")
            .evidence(phrase(fault))
            .gpu(facts.gpu_of_run(run))
    });
    problem.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, fault};

    #[test]
    fn an_unlicensed_device() {
        let gpus = |gpu, stage, code| {
            let sample = Sample::machine(2).fault(gpu, stage, fault("call", code));
            let problems = judge(&sample.facts()).problems();
            problems.iter().map(|problem| problem.gpu.as_ref()?.ordinal).collect::<Vec<_>>()
        };
        assert_eq!(gpus(None, Stage::DriverInit, 102), [None]);
        assert_eq!(gpus(Some(1), Stage::Context, 102), [Some(1)]);
        assert!(gpus(Some(1), Stage::Context, 101).is_empty());
        assert!(gpus(Some(1), Stage::Jit, 102).is_empty());
    }
}
