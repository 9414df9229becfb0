//! Hardware counters are for administrators.

use crate::checks::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::{Field, Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "math.counters",
    severity: Severity::Note,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "Hardware counters are for administrators",
    why: "The driver lets only administrators read hardware counters (RmProfilingAdminOnly). Tracing works; \
          Nsight Compute and counter-based metrics do not.",
    remedy: "docker run --cap-add SYS_ADMIN ... as root, or on the host the module option \
             NVreg_RestrictProfilingToAdminUsers=0",
    explains: &[],
    codes: &[(Family::Cupti, 35)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    // CUPTI's own answer, where it gave one; the driver's setting otherwise.
    let asked = facts.probes.iter().flat_map(ProbeRun::cupti).find_map(|cupti| match cupti.counters {
        Field::Known(allowed) => Some(allowed),
        Field::Unavailable { .. } => None,
    });
    let setting = facts.host.module.as_ref().and_then(|module| module.counters_admin_only);
    let problem = match (asked, setting) {
        (Some(false), _) => Some(Problem::new("CUPTI may not read hardware counters (CUPTI status 35).")),
        (None, Some(true)) if !facts.host.process.is_admin() && !facts.probes.is_empty() => Some(
            Problem::new("The driver restricts hardware counters, and this process lacks CAP_SYS_ADMIN."),
        ),
        _ => None,
    };
    problem
        .map(
            |problem| {
                if setting == Some(true) { problem.evidence("RmProfilingAdminOnly: 1") } else { problem }
            },
        )
        .into()
}
