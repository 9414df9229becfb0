//! Finds GPUs whose PCIe link has fewer lanes than it could have.

use crate::checks::device::each_gpu;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.pcie",
    severity: Severity::Warning,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A GPU's PCIe link is narrower than possible",
    why: "The link trained to fewer lanes than both ends support; half the lanes give half the copy bandwidth. A \
          lower PCIe generation is normal on an idle GPU and is not reported.",
    remedy: "On the host: reseat the card or its riser, check the BIOS settings of the slot, and run `dmesg | grep -i \
             pcie`. If the slot has fewer lanes than the card, accept the finding in the configuration",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each_gpu(facts, |gpu| {
        // Integrated GPUs have no PCIe link and report one lane.
        let width = gpu.pcie_width.known().filter(|width| width.current > 1 && width.current < width.max)?;
        Some(format!("{} of {} PCIe lanes are in use.", width.current, width.max))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Link;
    use crate::facts::sample::Sample;
    use crate::model::Field;

    #[test]
    fn fewer_lanes_count_and_a_lower_generation_does_not() {
        let causes = |width, generation| {
            let sample = Sample::machine(1).nvml(0, |gpu| {
                gpu.pcie_width = Field::Known(Link { current: width, max: 16 });
                gpu.pcie_generation = Field::Known(Link { current: generation, max: 5 });
            });
            judge(&sample.facts()).causes()
        };
        assert_eq!(causes(8, 5), ["GPU 0 (NVIDIA H100 80GB HBM3): 8 of 16 PCIe lanes are in use."]);
        assert!(causes(16, 1).is_empty());
        assert!(causes(1, 1).is_empty(), "an integrated GPU");
    }
}
