//! Finds GPUs whose clocks are throttled by heat or power.

use crate::checks::device::each_gpu;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.throttled",
    severity: Severity::Warning,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A GPU is throttled by heat or power",
    why: "The GPU lowers its clocks to protect itself. Idle clocks and a configured power limit are not reported.",
    remedy: "Check cooling and power supply: `nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER`",
    explains: &[],
    codes: &[],
    judge,
};

/// Reasons that are neither idleness nor a setting.
const PROTECTIVE: [&str; 4] = ["hardware-slowdown", "software-thermal", "hardware-thermal", "power-brake"];

fn judge(facts: &Facts) -> Outcome {
    each_gpu(facts, |gpu| {
        let reasons = gpu.throttle.known()?.iter().map(String::as_str);
        let reasons: Vec<&str> = reasons.filter(|reason| PROTECTIVE.contains(reason)).collect();
        let heat = gpu.temperature.known().map_or(String::new(), |degrees| format!(" at {degrees} C"));
        (!reasons.is_empty()).then(|| format!("throttled by {}{heat}.", reasons.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::Sample;
    use crate::model::Field;

    #[test]
    fn protection_counts_and_settings_do_not() {
        let causes = |reasons: &[&str]| {
            let reasons = reasons.iter().map(|reason| (*reason).to_owned()).collect();
            let sample = Sample::machine(1).nvml(0, |gpu| {
                gpu.throttle = Field::Known(reasons);
                gpu.temperature = Field::Known(91);
            });
            judge(&sample.facts()).causes()
        };
        assert_eq!(
            causes(&["idle", "software-thermal", "power-brake"]),
            ["GPU 0 (NVIDIA H100 80GB HBM3): throttled by software-thermal, power-brake at 91 C."]
        );
        for reason in PROTECTIVE {
            assert_eq!(causes(&[reason]).len(), 1, "{reason}");
        }
        assert!(causes(&["idle", "power-cap", "application-clocks"]).is_empty());
    }
}
