//! SELinux forbids the GPU's nodes.

use crate::checks::{Check, Outcome};
use crate::checks::shared::access::{EACCES, errno_name};
use crate::checks::shared::nodes::{BEYOND, is_selinux, mode_allows, node, of_kind};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.selinux",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "SELinux forbids the GPU's nodes",
    why: "The mode of the nodes allows this user to open them, and opening fails with EACCES: the label of the \
          container may not use devices of the host.",
    remedy: "On the host: sudo setsebool -P container_use_devices 1   (or run with --security-opt label=disable)",
    explains: BEYOND,
    codes: &[(Family::Nvml, 4)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let outcome = of_kind(facts, |path, errno| {
        let allowed = node(facts, path).is_some_and(|node| mode_allows(facts, node));
        (errno == EACCES && allowed && is_selinux(facts))
            .then(|| format!("Its mode allows {path}, and opening it fails with {}.", errno_name(errno)))
    });
    let label = facts.host.process.label.clone().unwrap_or_default();
    with_evidence(outcome, format!("/proc/self/attr/current: {label}"))
}

fn with_evidence(outcome: Outcome, line: String) -> Outcome {
    match outcome {
        Outcome::Fail(problems) => {
            problems.into_iter().map(|problem| problem.evidence(line.clone())).collect::<Vec<_>>().into()
        }
        other => other,
    }
}
