//! Finds GPUs whose memory is hotter than its slowdown threshold.

use crate::checks::device::each_gpu;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.memory-temperature",
    severity: Severity::Warning,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "GPU memory temperature is above the slowdown threshold",
    why: "Above this temperature the GPU lowers its clocks to protect its memory, and errors become more likely. The \
          threshold is the GPU's own, as NVML reports it (NVML_TEMPERATURE_THRESHOLD_MEM_MAX).",
    remedy: "Check the cooling of the node: `nvidia-smi -q -d TEMPERATURE`",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each_gpu(facts, |gpu| {
        let (temperature, slowdown) = (*gpu.memory_temperature.known()?, *gpu.memory_slowdown.known()?);
        (temperature > slowdown)
            .then(|| format!("the memory is at {temperature} C and slows down above {slowdown} C."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::Sample;
    use crate::model::Field;

    #[test]
    fn memory_above_the_threshold() {
        let at = |degrees| {
            let sample = Sample::machine(2).nvml(1, |gpu| gpu.memory_temperature = Field::Known(degrees));
            judge(&sample.facts())
        };
        assert_eq!(
            at(96).causes(),
            ["GPU 1 (NVIDIA H100 80GB HBM3): the memory is at 96 C and slows down above 95 C."]
        );
        assert!(at(95).causes().is_empty());
    }

    #[test]
    fn a_gpu_that_does_not_report_it() {
        let sample = Sample::machine(1).nvml(0, |gpu| {
            gpu.memory_temperature = Field::Known(120);
            gpu.memory_slowdown = Field::not_recorded();
        });
        assert!(judge(&sample.facts()).causes().is_empty());
    }
}
