//! The GPU device nodes exist, but opening them fails for lack of a working driver.

use crate::checks::shared::nodes::{EACCES, EPERM, NO_NODES_CONSEQUENCES, errno_name, refused_with};
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.node-dead",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The GPU device nodes have no working driver",
    why: "Opening the device nodes fails with ENXIO, ENODEV or EIO: the driver that created them is no longer loaded, \
          was reloaded with other device numbers, or has lost its GPU.",
    remedy: "Recreate the container, so that it gets the device nodes of the running driver. If that does not help, \
             run `nvidia-smi` and `dmesg | grep -i -e nvrm -e xid` on the host",
    explains: NO_NODES_CONSEQUENCES,
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    refused_with(facts, |path, errno| {
        (![EPERM, EACCES].contains(&errno))
            .then(|| format!("{path}: open failed with {}.", errno_name(errno)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::launch::samples::refused;
    use crate::checks::shared::nodes::{CONTROL, ENODEV, ENXIO};
    use crate::checks::testing::{passes, problem};
    use crate::facts::sample::Sample;

    #[test]
    fn errors_of_a_missing_driver() {
        for (errno, name) in [(ENXIO, "ENXIO (6)"), (ENODEV, "ENODEV (19)"), (5, "EIO (5)")] {
            let problem = problem(judge(&refused(1, &[CONTROL], errno).facts()));
            assert_eq!(problem.cause, format!("/dev/nvidiactl: open failed with {name}."));
            assert_eq!(problem.path.as_deref(), Some(CONTROL));
        }
    }

    #[test]
    fn errors_of_permission_are_not_its() {
        for sample in [refused(1, &[CONTROL], EPERM), refused(1, &[CONTROL], EACCES), Sample::machine(1)] {
            assert!(passes(judge(&sample.facts())));
        }
    }
}
