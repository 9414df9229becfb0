//! A system call that the driver needs is refused.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::limits::failed_with;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.seccomp",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "A system call that the driver needs is refused",
    why: "cuInit says that the operating system refused something. Where a seccomp filter is in force that is the \
          usual reason: profiles of one's own often leave out memfd_create, or the calls for NUMA.",
    remedy: "Run with the default profile, or allow memfd_create, mbind and set_mempolicy in yours; this tells \
             whether it is the filter: docker run --security-opt seccomp=unconfined ...",
    explains: &["driver.init", "probe.nothing-verified"],
    codes: &[(Family::Driver, 304), (Family::Runtime, 304)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some((_, phrase)) = failed_with(facts, 304) else { return Outcome::Pass };
    let filter = facts.host.process.seccomp;
    let mut problem = match filter {
        0 => Problem::new("The operating system refuses a call, and no seccomp filter is in force.")
            .remedy("Look at `dmesg` on the host; AppArmor or a limit may be the reason"),
        _ => Problem::new("A seccomp filter is in force, and the driver is refused a system call."),
    };
    problem = problem.evidence(phrase).evidence(format!("Seccomp: {filter}"));
    Some(problem).into()
}
