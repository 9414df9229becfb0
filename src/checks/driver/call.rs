//! Finds drivers that fail to describe their devices after cuInit succeeded.

use crate::checks::shared::faults::{faults, phrase};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "driver.call",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "Device queries fail although cuInit succeeds",
    why: "cuInit succeeded, but a simple query after it failed.",
    remedy: "Run `nvidia-smi` and `dmesg | grep -i -e xid -e nvrm` on the host",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    faults(facts, Stage::Enumerate).map(|(_, fault)| Problem::new(phrase(fault))).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{Sample, fault};

    #[test]
    fn a_failed_query_is_found_and_a_failed_cuinit_is_not() {
        let causes =
            |stage, call| judge(&Sample::machine(1).fault(None, stage, fault(call, 999)).facts()).causes();
        assert_eq!(
            causes(Stage::Enumerate, "cuDeviceGetName"),
            ["cuDeviceGetName returned 999 (CUDA_ERROR_UNKNOWN)."]
        );
        assert!(causes(Stage::DriverInit, "cuInit").is_empty());
    }
}
