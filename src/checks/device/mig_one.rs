//! CUDA uses one of several MIG instances.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.mig-one",
    severity: Severity::Note,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "CUDA uses one of several MIG instances",
    why: "A process can use one MIG instance alone, whatever was given to its container.",
    remedy: "Start one process for each instance, each with CUDA_VISIBLE_DEVICES=MIG-UUID of its own",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let instances = facts.nvml_devices().map(|gpu| gpu.mig_devices.len()).sum::<usize>();
    let listed = facts.probes.iter().find_map(|run| run.driver().next()).map_or(0, |driver| driver.devices);
    if listed != 1 || instances < 2 {
        return Outcome::Pass;
    }
    Some(Problem::new(format!("NVML lists {instances} MIG instances, CUDA lists 1 device."))).into()
}
