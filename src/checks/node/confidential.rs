//! The GPU is in confidential mode and was not yet released for work.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::node::init;
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.confidential",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The GPU is in confidential mode and was not yet released for work",
    why: "With confidential computing a GPU takes no work until it is attested and marked as ready. CUDA says that \
          the system is not ready.",
    remedy: "On the host or in the guest, after attestation: sudo nvidia-smi conf-compute -srs 1",
    explains: &[
        "node.fabric",
        "driver.init",
        "driver.no-devices",
        "driver.nvml",
        "probe.nothing-verified",
    ],
    codes: &[(Family::Driver, 802)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let ready = facts.probes.iter().flat_map(ProbeRun::nvml).find_map(|nvml| nvml.confidential_ready.known());
    match (init(facts), ready) {
        (Some((802, phrase)), Some(false)) => Some(
            Problem::new("CUDA says that the system is not ready, and NVML that the GPUs may not work yet.")
                .evidence(phrase),
        )
        .into(),
        _ => Outcome::Pass,
    }
}
