//! Finds GPUs that replace failing memory at their next reset.

use crate::checks::device::each_gpu;
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.reset-pending",
    severity: Severity::Warning,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A GPU needs a reset to replace failing memory",
    why: "The GPU found failing memory rows or pages, and replaces them at its next reset.",
    remedy: "Drain the node at a convenient time, then reset the GPU",
    explains: &[],
    codes: &[(Library::Nvml, 16)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each_gpu(facts, |gpu| {
        let rows = gpu.remapped_rows.known().is_some_and(|rows| rows.pending);
        let pages = gpu.retired_pages_pending.known() == Some(&true);
        let what = match (rows, pages) {
            (true, _) => "row remapping",
            (false, true) => "page retirement",
            (false, false) => return None,
        };
        Some(format!("{what} is pending until the next reset."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::RemappedRows;
    use crate::facts::sample::Sample;
    use crate::model::Field;

    #[test]
    fn pending_rows_or_pages() {
        let causes = |pending, pages| {
            let sample = Sample::machine(1).nvml(0, |gpu| {
                gpu.remapped_rows =
                    Field::Known(RemappedRows { correctable: 1, uncorrectable: 1, pending, failed: false });
                gpu.retired_pages_pending = Field::Known(pages);
            });
            judge(&sample.facts()).causes()
        };
        assert_eq!(
            causes(true, false),
            ["GPU 0 (NVIDIA H100 80GB HBM3): row remapping is pending until the next reset."]
        );
        assert_eq!(
            causes(false, true),
            ["GPU 0 (NVIDIA H100 80GB HBM3): page retirement is pending until the next reset."]
        );
        assert!(causes(false, false).is_empty(), "rows that were replaced already");
    }
}
