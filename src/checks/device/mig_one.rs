//! Finds containers with several MIG instances, of which CUDA uses one.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.mig-one",
    severity: Severity::Note,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "CUDA uses only one of several MIG instances",
    why: "A CUDA process can use only one MIG instance, even if its container has more.",
    remedy: "Start one process per instance, each with its own CUDA_VISIBLE_DEVICES=MIG-UUID",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let instances: usize = facts.nvml_devices().map(|gpu| gpu.mig_devices.len()).sum();
    let listed = facts.probes.iter().find_map(|run| run.driver().next()).map_or(0, |driver| driver.devices);
    if listed != 1 || instances < 2 {
        return Outcome::Pass;
    }
    Some(Problem::new(format!("NVML lists {instances} MIG instances, but CUDA lists 1 device."))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::MigDevice;
    use crate::facts::sample::Sample;
    use crate::model::Field;

    #[test]
    fn several_instances_behind_one_device() {
        let causes = |gpus, instances| {
            let sample = Sample::machine(gpus).nvml(0, |gpu| {
                gpu.mig_devices = (0..instances)
                    .map(|index| MigDevice {
                        index,
                        uuid: Field::Known(format!("MIG-{index}")),
                        memory_total: Field::Known(10 << 30),
                        memory_free: Field::Known(10 << 30),
                    })
                    .collect();
            });
            judge(&sample.facts()).causes()
        };
        assert_eq!(causes(1, 7), ["NVML lists 7 MIG instances, but CUDA lists 1 device."]);
        assert!(causes(1, 1).is_empty());
        assert!(causes(2, 2).is_empty(), "CUDA lists more than one device");
    }
}
