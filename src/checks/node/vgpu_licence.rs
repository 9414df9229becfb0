//! The virtual GPU has no licence.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::faults::phrase;
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "node.vgpu-licence",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The virtual GPU has no licence",
    why: "A vGPU without a licence refuses work or slows down after some minutes. The guest needs a token of the \
          licence server.",
    remedy: "In the guest: put the client configuration token into /etc/nvidia/ClientConfigToken and sudo systemctl \
             restart nvidia-gridd; nvidia-smi -q | grep -i licen shows the state",
    explains: &["driver.init", "driver.no-devices", "device.context", "probe.nothing-verified"],
    codes: &[(Family::Driver, 102), (Family::Runtime, 102)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let stages = [Stage::DriverInit, Stage::Context];
    let failed = |run| stages.iter().find_map(|stage| ProbeRun::fault(run, *stage)).map(|fault| (run, fault));
    let found = facts.probes.iter().find_map(failed).filter(|(_, fault)| fault.code == Some(102));
    let problem = found.map(|(run, fault)| {
        Problem::new("CUDA says that the device is not licensed.")
            .evidence(phrase(fault))
            .gpu(facts.gpu_of_run(run))
    });
    problem.into()
}
