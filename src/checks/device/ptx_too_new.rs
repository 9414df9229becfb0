//! Finds drivers that are too old for the PTX of the test kernel.

use crate::checks::device::stage_failures;
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "device.ptx-too-new",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The driver does not support this PTX version",
    why: "Each CUDA release emits a newer PTX version, and a driver compiles only the versions that it knows. Compiled \
          code for the GPU runs on an older driver of the same major version; PTX does not.",
    remedy: "Upgrade the driver on the host, or use a build with compiled code for this GPU (TORCH_CUDA_ARCH_LIST)",
    explains: &["device.jit"],
    codes: &[(Library::Driver, UNSUPPORTED_PTX_VERSION), (Library::Runtime, UNSUPPORTED_PTX_VERSION)],
    judge,
};

/// CUDA_ERROR_UNSUPPORTED_PTX_VERSION.
const UNSUPPORTED_PTX_VERSION: i64 = 222;

fn judge(facts: &Facts) -> Outcome {
    stage_failures(facts, Stage::Jit, |fault| fault.code == Some(UNSUPPORTED_PTX_VERSION))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, fault};

    #[test]
    fn only_its_own_code_says_that_the_ptx_is_too_new() {
        let causes = |code| {
            let fault = fault("cuModuleLoadDataEx", code);
            judge(&Sample::machine(1).fault(Some(0), Stage::Jit, fault).facts()).causes()
        };
        assert_eq!(causes(222).len(), 1);
        assert!(causes(222)[0].contains("CUDA_ERROR_UNSUPPORTED_PTX_VERSION"), "{:?}", causes(222));
        assert!(causes(218).is_empty());
    }
}
