//! Finds GPUs that have not joined their NVLink fabric.

use crate::checks::device::each_gpu;
use crate::checks::{Check, Outcome};
use crate::facts::event::NvmlDevice;
use crate::facts::probe::ProbeRun;
use crate::facts::{Facts, gpu_selection};
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.fabric",
    severity: Severity::Warning,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A GPU has not joined its NVLink fabric",
    why: "The fabric manager must register GPUs behind NVSwitch before CUDA can use them.",
    remedy: "On the host: `sudo systemctl start nvidia-fabricmanager` (its version must equal the driver's)",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each_gpu(facts, |gpu| {
        if ran_a_kernel(facts, gpu) {
            return None;
        }
        let fabric = gpu.fabric.known()?;
        match fabric.state.as_str() {
            "in-progress" | "not-started" => Some(format!("fabric state is {}.", fabric.state)),
            "completed" if fabric.status != 0 => {
                Some(format!("fabric registration ended with NVML status {}.", fabric.status))
            }
            _ => None,
        }
    })
}

/// Such a GPU needs no fabric, whatever its state.
fn ran_a_kernel(facts: &Facts, gpu: &NvmlDevice) -> bool {
    let Some(gpu) = gpu_selection::chosen(facts, gpu) else { return false };
    let is_same = |run: &ProbeRun| facts.gpu_of_run(run).is_some_and(|other| other.is_same(&gpu));
    facts.probes.iter().any(|run| is_same(run) && run.smoke().next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Fabric;
    use crate::facts::sample::Sample;
    use crate::model::{Field, Level};

    #[test]
    fn a_gpu_outside_the_fabric_is_found_unless_it_ran_a_kernel() {
        let causes = |level, state: &str, status| {
            let fabric = Fabric { state: state.into(), status };
            let sample = Sample::machine(2).level(level).nvml(1, |gpu| gpu.fabric = Field::Known(fabric));
            judge(&sample.facts()).causes()
        };
        for (state, status, cause) in [
            ("in-progress", 0, "fabric state is in-progress."),
            ("not-started", 0, "fabric state is not-started."),
            ("completed", 3, "fabric registration ended with NVML status 3."),
        ] {
            assert_eq!(
                causes(Level::Driver, state, status),
                [format!("GPU 1 (NVIDIA H100 80GB HBM3): {cause}")]
            );
            assert!(causes(Level::Smoke, state, status).is_empty(), "{state}: a kernel ran");
        }
        assert!(causes(Level::Driver, "completed", 0).is_empty());
        assert!(causes(Level::Driver, "not-supported", 3).is_empty());
    }
}
