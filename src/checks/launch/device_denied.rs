//! The container's device cgroup denies the GPU device nodes.

use crate::checks::shared::nodes::{
    EACCES, EPERM, NO_NODES_CONSEQUENCES, errno_name, is_selinux_confined, mode_allows, node, refused_with,
};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.device-denied",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::RecreateSame,
    title: "The device cgroup denies the GPU device nodes",
    why: "The device nodes are in the container, but opening them fails with EPERM whatever their mode: the \
          container's device cgroup does not allow them. Either it never did (no-cgroups = true in the toolkit's \
          configuration, or nodes that were bind-mounted instead of passed as devices), or access was lost while the \
          container ran: systemd rewrites the rules on daemon-reload, and so does the kubelet's static CPU manager.",
    remedy: "Recreate the container: `docker run --gpus all ...` (`podman run --device nvidia.com/gpu=all ...`). If \
             access was lost while it ran: on the host `sudo nvidia-ctk system create-dev-char-symlinks --create-all`, \
             or use CDI. If it never worked: set no-cgroups = false in /etc/nvidia-container-runtime/config.toml. \
             `docker restart` tells the two apart: it helps only in the first case",
    explains: NO_NODES_CONSEQUENCES,
    codes: &[(Library::Nvml, 999), (Library::Driver, 100), (Library::Driver, 999)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    refused_with(facts, |path, errno| {
        let name = errno_name(errno);
        let allowed = node(facts, path).is_some_and(|node| mode_allows(facts, node));
        match errno {
            EPERM => Some(format!("{path}: open failed with {name}, whatever its mode.")),
            EACCES if allowed && !is_selinux_confined(facts) => Some(format!(
                "{path}: open failed with {name} although its mode allows it; it was bind-mounted instead of passed \
                 as a device, or a security module denies it."
            )),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::launch::samples::refused;
    use crate::checks::shared::nodes::{CONTROL, ENXIO, UVM};
    use crate::checks::testing::{lines, passes, problem, skips};
    use crate::facts::event::Event;
    use crate::facts::sample::Sample;

    #[test]
    fn the_first_refused_node_is_named_and_all_are_listed() {
        let problem = problem(judge(&refused(1, &[UVM, CONTROL], EPERM).facts()));
        assert!(
            problem.cause.starts_with("/dev/nvidia-uvm: open failed with EPERM (1)"),
            "{}",
            problem.cause
        );
        assert_eq!(problem.path.as_deref(), Some(UVM));
        assert_eq!(lines(&problem), ["open /dev/nvidia-uvm: EPERM (1)", "open /dev/nvidiactl: EPERM (1)"]);
    }

    #[test]
    fn access_is_denied_although_the_mode_allows_it() {
        let problem = problem(judge(&refused(1, &[CONTROL], EACCES).facts()));
        assert!(problem.cause.contains("although its mode allows it"), "{}", problem.cause);
    }

    #[test]
    fn other_reasons_have_checks_of_their_own() {
        let selinux = refused(1, &[CONTROL], EACCES).host(|host| {
            host.process.label = Some("system_u:system_r:container_t:s0:c1,c2".into());
        });
        let by_mode = refused(1, &[CONTROL], EACCES).host(|host| {
            (host.process.uid, host.process.gid) = (1000, 1000);
            host.nodes.iter_mut().for_each(|node| node.mode = 0o660);
        });
        let dead = refused(1, &[CONTROL], ENXIO);
        let one_of_two_gpus = refused(2, &["/dev/nvidia1"], EPERM);
        for sample in [selinux, by_mode, dead, one_of_two_gpus] {
            assert!(passes(judge(&sample.facts())));
        }
    }

    #[test]
    fn without_an_attempt_it_is_skipped() {
        let facts = Sample::machine(1)
            .run(None, |run| run.events.retain(|event| !matches!(event, Event::Node { .. })))
            .facts();
        assert!(skips(judge(&facts)));
    }
}
