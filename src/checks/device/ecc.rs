//! Finds GPUs with uncorrected ECC errors since the driver was loaded.

use crate::checks::device::each_gpu;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.ecc",
    severity: Severity::Warning,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "GPU memory errors since the driver was loaded",
    why: "ECC detected errors that it could not correct. Programs that used that memory were terminated or hold \
          wrong data.",
    remedy: "Watch the counter (`nvidia-smi -q -d ECC`). If it grows, drain the node and reset the GPU",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each_gpu(facts, |gpu| match *gpu.ecc_uncorrected.known()? {
        0 => None,
        1 => Some("1 uncorrected ECC error.".to_owned()),
        errors => Some(format!("{errors} uncorrected ECC errors.")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::Sample;
    use crate::model::Field;

    #[test]
    fn uncorrected_errors_count_and_corrected_ones_do_not() {
        let causes = |uncorrected, corrected| {
            let sample = Sample::machine(2).nvml(1, |gpu| {
                gpu.ecc_uncorrected = Field::Known(uncorrected);
                gpu.ecc_corrected = Field::Known(corrected);
            });
            judge(&sample.facts()).causes()
        };
        assert_eq!(causes(3, 0), ["GPU 1 (NVIDIA H100 80GB HBM3): 3 uncorrected ECC errors."]);
        assert_eq!(causes(1, 0), ["GPU 1 (NVIDIA H100 80GB HBM3): 1 uncorrected ECC error."]);
        assert!(causes(0, 1000).is_empty());
    }
}
