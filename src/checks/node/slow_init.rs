//! Finds machines on which cuInit takes seconds, because persistence mode is off.

use crate::checks::shared::access::cuda_works;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::event::{Event, Outcome as StageOutcome};
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "node.slow-init",
    severity: Severity::Note,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "CUDA initialization takes seconds without persistence mode",
    why: "Without persistence mode the driver shuts a GPU down when its last user exits, and starts it again for the \
          next one. Probes with a short deadline time out because of that.",
    remedy: "On the host: `sudo systemctl enable --now nvidia-persistenced`",
    explains: &[],
    codes: &[],
    judge,
};

/// Initialization that takes longer is reported.
const MAX_SECONDS: f64 = 2.0;

fn judge(facts: &Facts) -> Outcome {
    let off = facts.nvml_devices().any(|gpu| gpu.persistence.known() == Some(&false));
    let seconds = facts.probes.iter().flat_map(|run| &run.events).find_map(|event| match event {
        Event::Left { stage: Stage::DriverInit, seconds, outcome: StageOutcome::Passed, .. } => {
            Some(*seconds)
        }
        _ => None,
    });
    let Some(seconds) = seconds.filter(|seconds| *seconds > MAX_SECONDS && off && cuda_works(facts)) else {
        return Outcome::Pass;
    };
    Some(Problem::new(format!("cuInit took {seconds:.1} s, and persistence mode is off."))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::Sample;
    use crate::model::Field;

    #[test]
    fn slow_without_persistence_mode() {
        let causes = |took: f64, persistence| {
            let sample = Sample::machine(2).nvml(1, |gpu| gpu.persistence = Field::Known(persistence));
            let sample = sample.run(None, |run| {
                run.events.iter_mut().for_each(|event| {
                    if let Event::Left { stage: Stage::DriverInit, seconds, .. } = event {
                        *seconds = took;
                    }
                });
            });
            judge(&sample.facts()).causes()
        };
        assert_eq!(causes(6.5, false), ["cuInit took 6.5 s, and persistence mode is off."]);
        assert!(causes(6.5, true).is_empty());
        assert!(causes(MAX_SECONDS, false).is_empty());
    }
}
