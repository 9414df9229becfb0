//! The image asks for a newer driver than this machine has.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::predict::requirement_met;
use crate::checks::shared::faults;
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::facts::target_machine::TargetMachine;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.requirement",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Host,
    title: "The image asks for a newer driver than this machine has",
    why: "NVIDIA's images say in NVIDIA_REQUIRE_CUDA what driver they need, and the container runtime refuses to start \
          them elsewhere, unless NVIDIA_DISABLE_REQUIRE tells it not to look.",
    remedy: "Upgrade the driver on the host, or use an older tag of the image",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(value) = facts.host.environment.get("NVIDIA_REQUIRE_CUDA") else { return Outcome::Pass };
    let cuda = facts.probes.iter().find_map(|run| run.driver().next()).map(|driver| driver.cuda);
    let device = facts.probes.iter().flat_map(ProbeRun::devices).next();
    let (Some(cuda), Some(device)) = (cuda, device) else {
        return Outcome::Skip("CUDA's version of the driver is not known");
    };
    let version = facts.probes.iter().find_map(|run| run.nvml().next()?.driver.known().cloned());
    let module = facts.host.module.as_ref();
    let here = TargetMachine {
        name: "this machine".to_owned(),
        gpu: u32::try_from(device.capability.0 * 10 + device.capability.1).unwrap_or_default(),
        driver: version.or_else(|| module?.version.clone()),
        cuda: u32::try_from(cuda).ok().map(|cuda| (cuda / 1000, cuda % 1000 / 10)),
        open_module: module.map(|module| module.open),
        datacenter: None,
    };
    if requirement_met(value, &here) != Some(false) {
        return Outcome::Pass;
    }
    let has = faults::cuda(cuda);
    Some(
        Problem::new(format!("The driver supports CUDA {has}, and what the image asks for is not met."))
            .evidence(format!("NVIDIA_REQUIRE_CUDA={value}")),
    )
    .into()
}
