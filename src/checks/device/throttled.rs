//! Heat or power holds the clocks of a GPU down.

use crate::checks::{Check, Outcome};
use crate::checks::device::health;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.throttled",
    severity: Severity::Warning,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "Heat or power holds the clocks of a GPU down",
    why: "The hardware lowers its clocks to protect itself. Idle clocks and a power cap that was set are not \
          counted here.",
    remedy: "Look at cooling and power supply: nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    const GRAVE: [&str; 4] = ["hardware-slowdown", "software-thermal", "hardware-thermal", "power-brake"];
    health(facts, |gpu| {
        let reasons: Vec<&str> = gpu
            .throttle
            .known()?
            .iter()
            .map(String::as_str)
            .filter(|reason| GRAVE.contains(reason))
            .collect();
        let heat = gpu.temperature.known().map_or(String::new(), |degrees| format!(" at {degrees} degrees"));
        (!reasons.is_empty()).then(|| format!("clocks are held down by {}{heat}.", reasons.join(", ")))
    })
}
