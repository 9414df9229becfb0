//! The operating system refused the driver a system call, most often through a seccomp filter.

use crate::checks::shared::init_fault::init_fault;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.seccomp",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "A system call that the driver needs is refused",
    why: "cuInit reports that an operating system call failed. Where a seccomp filter is active, it is the usual \
          reason: custom profiles often omit memfd_create or the NUMA calls.",
    remedy: "Run with the default profile, or allow memfd_create, mbind and set_mempolicy in yours. To confirm that \
             the filter is the cause: `docker run --security-opt seccomp=unconfined ...`",
    explains: &["driver.init", "probe.nothing-verified"],
    codes: &[(Library::Driver, 304), (Library::Runtime, 304)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some((_, phrase)) = init_fault(facts, 304) else { return Outcome::Pass };
    let filter = facts.host.process.seccomp;
    let problem = match filter {
        0 => Problem::new("The driver was refused a system call, although no seccomp filter is active.")
            .remedy("Run `dmesg` on the host; AppArmor or a limit may be the reason"),
        _ => Problem::new("The driver was refused a system call, and a seccomp filter is active."),
    };
    Some(problem.evidence(phrase).file("/proc/self/status", &format!(": Seccomp: {filter}"))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{lines, passes, problem};
    use crate::facts::sample::{Sample, fault};
    use crate::model::Stage;

    fn refused(code: i64, seccomp: u32) -> Facts {
        Sample::machine(1)
            .fault(None, Stage::DriverInit, fault("cuInit", code))
            .host(|host| host.process.seccomp = seccomp)
            .facts()
    }

    #[test]
    fn a_filter_is_the_usual_reason() {
        let problem = problem(judge(&refused(304, 2)));
        assert!(problem.cause.contains("a seccomp filter is active") && problem.remedy.is_none());
        assert_eq!(lines(&problem)[1], "/proc/self/status: Seccomp: 2");
    }

    #[test]
    fn without_a_filter_the_remedy_is_another() {
        let problem = problem(judge(&refused(304, 0)));
        assert!(problem.cause.contains("no seccomp filter") && problem.remedy.unwrap().contains("dmesg"));
    }

    #[test]
    fn other_faults_under_a_filter_are_not_its() {
        assert!(passes(judge(&refused(999, 2))));
    }
}
