//! SELinux denies the container the GPU device nodes.

use crate::checks::shared::nodes::{
    EACCES, NO_NODES_CONSEQUENCES, errno_name, is_selinux_confined, mode_allows, node, refused_with,
};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Evidence, Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.selinux",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "SELinux denies access to the GPU device nodes",
    why: "The mode of the device nodes allows this user to open them, but open fails with EACCES: the SELinux label \
          of the container may not use devices of the host.",
    remedy: "On the host: `sudo setsebool -P container_use_devices 1` (or run with --security-opt label=disable)",
    explains: NO_NODES_CONSEQUENCES,
    codes: &[(Library::Nvml, 4)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let mut outcome = refused_with(facts, |path, errno| {
        let allowed = node(facts, path).is_some_and(|node| mode_allows(facts, node));
        (errno == EACCES && allowed && is_selinux_confined(facts))
            .then(|| format!("{path}: open failed with {} although its mode allows it.", errno_name(errno)))
    });
    if let Outcome::Fail(problems) = &mut outcome {
        let label = facts.host.process.label.as_deref().unwrap_or_default();
        let line = Evidence::of("/proc/self/attr/current", &format!(": {label}"));
        problems.iter_mut().for_each(|problem| problem.evidence.push(line.clone()));
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::launch::samples::refused;
    use crate::checks::shared::nodes::{CONTROL, EPERM};
    use crate::checks::testing::{lines, passes, problem};
    use crate::facts::sample::Sample;

    fn confined(sample: Sample) -> Sample {
        sample.host(|host| host.process.label = Some("system_u:system_r:container_t:s0:c1,c2".into()))
    }

    #[test]
    fn the_mode_allows_and_the_label_does_not() {
        let problem = problem(judge(&confined(refused(1, &[CONTROL], EACCES)).facts()));
        assert_eq!(problem.path.as_deref(), Some(CONTROL));
        let label = "/proc/self/attr/current: system_u:system_r:container_t:s0:c1,c2";
        assert_eq!(lines(&problem), ["open /dev/nvidiactl: EACCES (13)", label]);
    }

    #[test]
    fn without_that_label_or_with_another_error_it_is_not_selinux() {
        let unconfined = refused(1, &[CONTROL], EACCES)
            .host(|host| host.process.label = Some("system_u:system_r:spc_t:s0".into()));
        let cgroup = confined(refused(1, &[CONTROL], EPERM));
        for sample in [unconfined, cgroup, confined(Sample::machine(1))] {
            assert!(passes(judge(&sample.facts())));
        }
    }
}
