//! CUDA_VISIBLE_DEVICES names more GPUs than CUDA lists.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::visible::{variable, with_sights};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.visible-devices-cut",
    severity: Severity::Warning,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "CUDA_VISIBLE_DEVICES names more GPUs than CUDA lists",
    why: "CUDA stops at the first entry that names no device, or one that was named before, and says nothing. An \
          application that expects as many devices as entries fails later with error 101.",
    remedy: "Unset CUDA_VISIBLE_DEVICES, or name only devices that `nvidia-smi -L` lists inside the container",
    explains: &[],
    codes: &[(Family::Driver, 101), (Family::Runtime, 101)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(value) = variable(facts) else { return Outcome::Pass };
    // What follows -1 is meant to be hidden, and of several MIG instances a process uses one in any case.
    let entries = value.split(',').map(str::trim).take_while(|entry| *entry != "-1");
    let entries: Vec<&str> = entries.filter(|entry| !entry.is_empty()).collect();
    if entries.iter().any(|entry| entry.starts_with("MIG-")) {
        return Outcome::Pass;
    }
    let entries = entries.len();
    let listed = facts.probes.iter().find_map(|run| run.driver().next()).map_or(0, |driver| driver.devices);
    if listed == 0 || listed as usize >= entries {
        return Outcome::Pass;
    }
    let cause = format!("It names {entries} devices, and CUDA lists {listed}.");
    Some(with_sights(Problem::new(cause).evidence(format!("CUDA_VISIBLE_DEVICES={value}")), facts)).into()
}
