//! Finds drivers that cannot compile PTX.

use crate::checks::device::stage_failures;
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "device.jit",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The driver cannot compile PTX",
    why: "cudacheck's test kernel is PTX, which the driver compiles with libnvidia-ptxjitcompiler. Applications \
          that ship PTX for newer GPUs need it too.",
    remedy: "`docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...` mounts the compiler next to \
             libcuda; check that both have the same version",
    explains: &[],
    codes: &[(Library::Driver, 218)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    stage_failures(facts, Stage::Jit, |_| true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, fault};

    #[test]
    fn a_fault_while_compiling_is_found_and_one_before_is_not() {
        let causes = |stage, call, code| {
            judge(&Sample::machine(2).fault(Some(1), stage, fault(call, code)).facts()).causes()
        };
        assert_eq!(
            causes(Stage::Jit, "cuModuleLoadDataEx", 218),
            ["GPU 1 (NVIDIA H100 80GB HBM3): cuModuleLoadDataEx returned 218 (CUDA_ERROR_INVALID_PTX)."]
        );
        assert!(causes(Stage::Context, "cuCtxCreate", 218).is_empty());
    }
}
