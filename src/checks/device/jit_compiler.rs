//! Finds containers without the driver's PTX compiler library.

use crate::checks::device::stage_failures;
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "device.jit-compiler",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The driver's PTX compiler library is missing",
    why: "libcuda loads libnvidia-ptxjitcompiler.so.1 to compile PTX. The library belongs to the driver and must have \
          its version; a container that mounts only libcuda lacks it.",
    remedy: "`docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...` mounts all driver libraries; if \
             you mount them by hand, also mount libnvidia-ptxjitcompiler.so.1 of the same version",
    explains: &["device.jit"],
    codes: &[(Library::Driver, JIT_COMPILER_NOT_FOUND), (Library::Runtime, JIT_COMPILER_NOT_FOUND)],
    judge,
};

/// CUDA_ERROR_JIT_COMPILER_NOT_FOUND.
const JIT_COMPILER_NOT_FOUND: i64 = 221;

fn judge(facts: &Facts) -> Outcome {
    stage_failures(facts, Stage::Jit, |fault| fault.code == Some(JIT_COMPILER_NOT_FOUND))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, fault};

    #[test]
    fn only_its_own_code_says_that_the_compiler_is_missing() {
        let causes = |code| {
            let fault = fault("cuModuleLoadDataEx", code);
            judge(&Sample::machine(1).fault(Some(0), Stage::Jit, fault).facts()).causes()
        };
        assert_eq!(causes(221).len(), 1);
        assert!(causes(221)[0].contains("CUDA_ERROR_JIT_COMPILER_NOT_FOUND"), "{:?}", causes(221));
        assert!(causes(218).is_empty());
    }
}
