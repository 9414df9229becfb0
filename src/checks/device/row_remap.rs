//! Finds GPUs that have no spare memory rows left.

use crate::checks::device::each_gpu;
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.row-remap",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "Memory row remapping failed on a GPU",
    why: "The GPU found failing memory rows and has no spare rows left to replace them.",
    remedy: "Replace the GPU",
    explains: &[],
    codes: &[(Library::Driver, 214)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each_gpu(facts, |gpu| {
        let rows = gpu.remapped_rows.known()?;
        rows.failed.then(|| {
            format!("row remapping failed; rows remapped after uncorrectable errors: {}.", rows.uncorrectable)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::RemappedRows;
    use crate::facts::sample::Sample;
    use crate::model::Field;

    #[test]
    fn rows_that_could_not_be_remapped_and_rows_that_were() {
        let causes = |failed| {
            let rows = RemappedRows { correctable: 0, uncorrectable: 8, pending: false, failed };
            let sample = Sample::machine(2).nvml(1, |gpu| gpu.remapped_rows = Field::Known(rows));
            judge(&sample.facts()).causes()
        };
        assert_eq!(
            causes(true),
            [
                "GPU 1 (NVIDIA H100 80GB HBM3): row remapping failed; rows remapped after uncorrectable errors: 8."
            ]
        );
        assert!(causes(false).is_empty());
    }
}
