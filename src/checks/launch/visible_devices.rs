//! CUDA_VISIBLE_DEVICES hides every GPU.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::visible::{BEYOND, gpus, sees_none, variable, with_sights};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.visible-devices",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "CUDA_VISIBLE_DEVICES hides every GPU",
    why: "CUDA lists the devices that the variable names, and stops at the first entry that names none. Inside a \
          container GPUs are numbered from 0 again, so numbers or UUIDs of the host select nothing; nor does an \
          empty value, or -1.",
    remedy: "Unset CUDA_VISIBLE_DEVICES: the container has only its own GPUs anyway",
    explains: BEYOND,
    codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(value) = variable(facts).filter(|_| sees_none(facts)) else { return Outcome::Pass };
    // Where there is nothing to hide, hiding is not the matter.
    if gpus(facts).next().is_none() && facts.probes.iter().any(|run| run.nvml().any(|nvml| nvml.gpus == 0)) {
        return Outcome::Pass;
    }
    let first = value.split(',').next().unwrap_or_default().trim();
    if names_one(facts, first) {
        return Outcome::Pass;
    }
    let cause = match first {
        "" | "-1" => format!("CUDA_VISIBLE_DEVICES is '{value}', which names no device."),
        first => format!("CUDA_VISIBLE_DEVICES is '{value}', and there is no device '{first}' here."),
    };
    Some(with_sights(Problem::new(cause).evidence(format!("CUDA_VISIBLE_DEVICES={value}")), facts)).into()
}

/// Whether an entry is a GPU that NVML lists, by number or by UUID, whole or its beginning.
fn names_one(facts: &Facts, entry: &str) -> bool {
    let counted = facts.probes.iter().find_map(|run| run.nvml().next()).map_or(0, |nvml| nvml.gpus);
    let uuids = gpus(facts).filter_map(|gpu| gpu.uuid.known());
    entry.parse::<u32>().is_ok_and(|number| number < counted)
        || entry.starts_with("GPU-") && uuids.into_iter().any(|uuid| uuid.starts_with(entry))
}
