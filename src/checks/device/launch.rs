//! Finds GPUs on which the test kernel does not run.

use crate::checks::device::stage_failures;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "device.launch",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The test kernel does not run on a GPU",
    why: "The driver compiled the kernel, but launching or running it failed.",
    remedy: "Run `dmesg | grep -i -e xid -e nvrm` on the host",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    stage_failures(facts, Stage::Launch, |_| true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, fault};

    #[test]
    fn a_fault_while_launching_is_found_and_one_while_compiling_is_not() {
        let causes =
            |stage, call| judge(&Sample::machine(2).fault(Some(1), stage, fault(call, 719)).facts()).causes();
        assert_eq!(
            causes(Stage::Launch, "cuCtxSynchronize"),
            ["GPU 1 (NVIDIA H100 80GB HBM3): cuCtxSynchronize returned 719 (CUDA_ERROR_LAUNCH_FAILED)."]
        );
        assert!(causes(Stage::Jit, "cuModuleLoadDataEx").is_empty());
    }
}
