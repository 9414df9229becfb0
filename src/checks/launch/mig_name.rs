//! CUDA_VISIBLE_DEVICES names a MIG instance that is not here.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::visible::{gpus, sees_none, variable};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.mig-name",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "CUDA_VISIBLE_DEVICES names a MIG instance that is not here",
    why: "Since driver 470 an instance has a UUID of its own (MIG-UUID); names of the older form \
          (MIG-GPU-UUID/GI/CI) select nothing, and neither does the UUID of an instance that was destroyed, made \
          anew, or given to another container.",
    remedy: "Use a name that `nvidia-smi -L` prints inside this container, or unset CUDA_VISIBLE_DEVICES",
    explains: &[
        "launch.visible-devices",
        "driver.init",
        "driver.no-devices",
        "driver.too-few",
        "probe.nothing-verified",
    ],
    codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(value) = variable(facts).filter(|_| sees_none(facts)) else { return Outcome::Pass };
    let Some(name) = value.split(',').map(str::trim).find(|name| name.starts_with("MIG-")) else {
        return Outcome::Pass;
    };
    let known: Vec<&String> =
        gpus(facts).flat_map(|gpu| &gpu.mig_devices).filter_map(|mig| mig.uuid.known()).collect();
    let cause = if name.contains('/') || name.starts_with("MIG-GPU-") {
        format!("'{name}' is a name of the form before driver 470.")
    } else if known.iter().any(|uuid| uuid.as_str() == name) {
        return Outcome::Pass;
    } else {
        format!("No MIG instance of this container is '{name}'.")
    };
    let problem = Problem::new(cause).evidence(format!("CUDA_VISIBLE_DEVICES={value}"));
    let list = |problem: Problem, uuid: &&String| problem.evidence(format!("here is {uuid}"));
    Some(known.iter().take(8).fold(problem, list)).into()
}
