//! Initialising the GPU takes seconds.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::access::cuda_works;
use crate::facts::Facts;
use crate::facts::event::{Event, Outcome as StageOutcome};
use crate::facts::probe::ProbeRun;
use crate::model::{Fix, Owner, Severity, Stage};

/// Longer is told.
const SLOW: f64 = 2.0;

pub const CHECK: Check = Check {
    id: "node.slow-init",
    severity: Severity::Note,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "Initialising the GPU takes seconds",
    why: "Without persistence mode the driver shuts a GPU down when its last user goes, and starts it again for the \
          next. Probes with a short deadline time out by that.",
    remedy: "On the host: sudo systemctl enable --now nvidia-persistenced",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let off = facts
        .probes
        .iter()
        .flat_map(ProbeRun::nvml_devices)
        .any(|gpu| gpu.persistence.known() == Some(&false));
    let seconds = facts.probes.iter().flat_map(|run| &run.events).find_map(|event| match event {
        Event::Left { stage: Stage::DriverInit, seconds, outcome: StageOutcome::Passed, .. } => {
            Some(*seconds)
        }
        _ => None,
    });
    let Some(seconds) = seconds.filter(|seconds| *seconds > SLOW && off && cuda_works(facts)) else {
        return Outcome::Pass;
    };
    Some(Problem::new(format!("cuInit took {seconds:.1} s, and persistence mode is off."))).into()
}
