//! Finds machines with confidential computing whose GPUs are not marked as ready.

use crate::checks::shared::faults::init_failure;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.confidential",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "GPUs in confidential mode are not marked ready",
    why: "With confidential computing, a GPU accepts no work until it is attested and marked as ready. Until then CUDA \
          reports that the system is not ready.",
    remedy: "On the host or in the guest, after attestation: `sudo nvidia-smi conf-compute -srs 1`",
    explains: &["node.fabric", "driver.init", "driver.no-devices", "driver.nvml", "probe.nothing-verified"],
    codes: &[(Library::Driver, 802)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let ready = facts.probes.iter().flat_map(ProbeRun::nvml).find_map(|nvml| nvml.confidential_ready.known());
    match (init_failure(facts), ready) {
        (Some((802, phrase)), Some(false)) => {
            let cause = "CUDA reports that the system is not ready, and NVML that the GPUs are not ready.";
            Some(Problem::new(cause).evidence(phrase)).into()
        }
        _ => Outcome::Pass,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Event;
    use crate::facts::sample::{Sample, fault};
    use crate::model::{Field, Stage};

    #[test]
    fn gpus_that_were_not_released_for_work() {
        let evidence = |code, ready: Option<bool>| {
            let sample = Sample::machine(1).fault(None, Stage::DriverInit, fault("cuInit", code));
            let sample = sample.run(None, |run| {
                run.events.iter_mut().for_each(|event| {
                    if let (Event::Nvml(nvml), Some(ready)) = (event, ready) {
                        nvml.confidential_ready = Field::Known(ready);
                    }
                });
            });
            judge(&sample.facts()).problems().into_iter().flat_map(|problem| problem.evidence).next()
        };
        let text = evidence(802, Some(false)).map(|line| line.text);
        assert_eq!(text.as_deref(), Some("cuInit returned 802 (CUDA_ERROR_SYSTEM_NOT_READY)."));
        assert_eq!(evidence(802, Some(true)), None);
        assert_eq!(evidence(802, None), None, "no confidential computing");
        assert_eq!(evidence(999, Some(false)), None);
    }
}
