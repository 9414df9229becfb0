//! Only administrators can read hardware performance counters.

use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::{Field, Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "math.counters",
    severity: Severity::Note,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "Only administrators can read hardware performance counters",
    why: "The driver lets only administrators read performance counters (RmProfilingAdminOnly). Tracing works; Nsight \
          Compute and metrics from counters do not.",
    remedy: "`docker run --cap-add SYS_ADMIN ...` as root, or on the host set the module option \
             NVreg_RestrictProfilingToAdminUsers=0",
    explains: &[],
    codes: &[(Library::Cupti, 35)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    // CUPTI's own answer if there is one, else the setting of the driver.
    let asked = facts.probes.iter().flat_map(ProbeRun::cupti).find_map(|cupti| match cupti.counters {
        Field::Known(allowed) => Some(allowed),
        Field::Unavailable { .. } => None,
    });
    let setting = facts.host.module.as_ref().and_then(|module| module.counters_admin_only);
    let problem = match (asked, setting) {
        (Some(false), _) => Some(Problem::new("CUPTI cannot read hardware counters (CUPTI status 35).")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::event::Event;
    use crate::facts::sample::Sample;

    fn with(counters: Field<bool>) -> Sample {
        let restricted = |facts: &mut Facts| {
            facts.host.module.as_mut().unwrap().counters_admin_only = Some(true);
            facts.host.process.uid = 1000;
        };
        Sample::machine(1).with(restricted).run(Some(0), |run| {
            for event in &mut run.events {
                if let Event::Cupti(cupti) = event {
                    cupti.counters = counters.clone();
                }
            }
        })
    }

    #[test]
    fn cupti_knows_better_than_the_setting() {
        let refused = problem(judge(&with(Field::Known(false)).facts()));
        assert_eq!(refused.cause, "CUPTI cannot read hardware counters (CUPTI status 35).");
        assert_eq!(refused.evidence[0].text, "RmProfilingAdminOnly: 1");
        assert!(matches!(judge(&with(Field::Known(true)).facts()), Outcome::Pass));
        let unknown = Field::Unavailable { unavailable: "not asked".into() };
        let by_setting = problem(judge(&with(unknown).facts()));
        assert!(by_setting.cause.contains("lacks CAP_SYS_ADMIN"), "{}", by_setting.cause);
    }
}
