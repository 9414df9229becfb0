//! Finds GPU memory that is in use, though NVML lists no process.

use crate::checks::device::each_gpu;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.memory-unaccounted",
    severity: Severity::Note,
    owner: Owner::Nobody,
    fix: Fix::Wait,
    title: "GPU memory is used by processes not visible here",
    why: "NVML lists no process, but much of the memory is in use: by processes in other containers, which this \
          container cannot see, or by a process that died and left its context behind.",
    remedy: "On the host: `sudo fuser -v /dev/nvidia*` lists the processes, `nvidia-smi` shows their memory",
    explains: &[],
    codes: &[],
    judge,
};

/// More than any driver uses on an idle GPU.
const MAX_IDLE_BYTES: u64 = 2 << 30;

fn judge(facts: &Facts) -> Outcome {
    each_gpu(facts, |gpu| {
        let used = *gpu.memory_used.known()?;
        let no_process = gpu.compute_processes.known() == Some(&0);
        let mig = gpu.mig_enabled.known() == Some(&true);
        (no_process && !mig && used > MAX_IDLE_BYTES)
            .then(|| format!("{:.1} GB of memory is in use, but NVML lists no process.", used as f64 / 1e9))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::Sample;
    use crate::model::Field;

    #[test]
    fn memory_in_use_without_a_process() {
        let causes = |used, processes, mig| {
            let sample = Sample::machine(1).nvml(0, |gpu| {
                gpu.memory_used = Field::Known(used);
                gpu.compute_processes = Field::Known(processes);
                gpu.mig_enabled = Field::Known(mig);
            });
            judge(&sample.facts()).causes()
        };
        assert_eq!(
            causes(40_000_000_000, 0, false),
            ["GPU 0 (NVIDIA H100 80GB HBM3): 40.0 GB of memory is in use, but NVML lists no process."]
        );
        assert!(causes(40_000_000_000, 1, false).is_empty());
        assert!(causes(40_000_000_000, 0, true).is_empty());
        assert!(causes(MAX_IDLE_BYTES, 0, false).is_empty());
    }
}
