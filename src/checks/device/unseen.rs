//! Some multiprocessors were never seen.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.unseen",
    severity: Severity::Unknown,
    owner: Owner::Nobody,
    fix: Fix::Wait,
    title: "Some multiprocessors were never seen",
    why: "A cooperative launch did not reach every multiprocessor or was refused, and neither did ordinary \
          ones. Those that were not seen are neither right nor wrong.",
    remedy: "Run it again when the GPU is idle, and without MPS.",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let unseen = |run: &ProbeRun| {
        let smoke = run.smoke().find(|smoke| smoke.sms_covered < smoke.sms_present)?;
        let gpu = facts.gpu_of_run(run);
        let cause = format!(
            "{}: {} of {} multiprocessors were seen in {} launches.",
            facts.gpu_name(gpu.as_ref()),
            smoke.sms_covered,
            smoke.sms_present,
            smoke.launches
        );
        Some(Problem::new(cause).gpu(gpu))
    };
    facts.probes.iter().filter_map(unseen).collect::<Vec<_>>().into()
}
