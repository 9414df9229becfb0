//! Finds machines with MIG enabled and without a MIG instance.

use crate::checks::shared::visible_devices::{NO_DEVICES_CONSEQUENCES, cuda_sees_none};
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::facts::event::NvmlDevice;
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.mig-empty",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "MIG is enabled but there is no instance",
    why: "CUDA uses a GPU in MIG mode only through its instances. Until one is created, CUDA has no device.",
    remedy: "On the host: `sudo nvidia-smi mig -cgi PROFILE -C` (`nvidia-smi mig -lgip` lists profiles), or disable \
             MIG: `sudo nvidia-smi -mig 0`",
    explains: NO_DEVICES_CONSEQUENCES,
    codes: &[(Library::Driver, 100), (Library::Runtime, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let is_empty = |gpu: &NvmlDevice| gpu.mig_enabled.known() == Some(&true) && gpu.mig_devices.is_empty();
    // Level nvml does not query CUDA, which would list none of these GPUs.
    let without_cuda = facts.request.level == Level::Nvml || cuda_sees_none(facts);
    let mut gpus = facts.nvml_devices().peekable();
    if gpus.peek().is_none() || !without_cuda || !gpus.all(is_empty) {
        return Outcome::Pass;
    }
    Some(Problem::new("Every GPU is in MIG mode, and NVML lists no instance.")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::MigDevice;
    use crate::facts::sample::{Sample, fault};
    use crate::model::{Field, Stage};

    fn mig(sample: Sample, index: u32, instances: u32) -> Sample {
        sample.nvml(index, |gpu| {
            gpu.mig_enabled = Field::Known(true);
            gpu.mig_devices = (0..instances)
                .map(|instance| MigDevice {
                    index: instance,
                    uuid: Field::Known(format!("MIG-{index}-{instance}")),
                    memory_total: Field::Known(10 << 30),
                    memory_free: Field::Known(10 << 30),
                })
                .collect();
        })
    }

    #[test]
    fn no_gpu_has_an_instance() {
        let causes = |sample: Sample| judge(&sample.facts()).causes();
        let machine = || Sample::machine(2).level(Level::Nvml);
        assert_eq!(
            causes(mig(mig(machine(), 0, 0), 1, 0)),
            ["Every GPU is in MIG mode, and NVML lists no instance."]
        );
        assert!(causes(mig(machine(), 0, 0)).is_empty(), "the other GPU is not in MIG mode");
        assert!(causes(mig(mig(machine(), 0, 0), 1, 1)).is_empty());
    }

    #[test]
    fn cuda_confirms_it_where_it_was_asked() {
        let machine = || mig(Sample::machine(1).level(Level::Driver), 0, 0);
        let refused = machine().fault(None, Stage::DriverInit, fault("cuInit", 100));
        assert_eq!(judge(&refused.facts()).causes().len(), 1);
        assert!(judge(&machine().facts()).causes().is_empty(), "CUDA lists a device");
    }
}
