//! This user may not open the GPU's nodes.

use crate::checks::{Check, Outcome};
use crate::checks::shared::access::{EACCES, errno_name};
use crate::checks::shared::nodes::{BEYOND, mode_allows, node, of_kind};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.node-permissions",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "This user may not open the GPU's nodes",
    why: "The nodes belong to a group that the container's user is not in, since the driver was told to make them \
          with a restrictive mode. In a rootless container the group of the host is shown as nobody's.",
    remedy: "docker run --gpus all --group-add GID ...   with the group of /dev/nvidiactl",
    explains: BEYOND,
    codes: &[(Family::Nvml, 4)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let process = &facts.host.process;
    let outcome = of_kind(facts, |path, errno| {
        let node = node(facts, path);
        let allowed = node.is_some_and(|node| mode_allows(facts, node));
        let mode = node.map_or(String::new(), |node| {
            format!(" (mode {:04o}, uid {}, gid {})", node.mode, node.uid, node.gid)
        });
        (errno == EACCES && !allowed)
            .then(|| format!("User {} may not open {path}{mode}: {}.", process.uid, errno_name(errno)))
    });
    let Outcome::Fail(mut problems) = outcome else { return outcome };
    for problem in &mut problems {
        let gid = facts.host.nodes.iter().find(|node| node.path == "/dev/nvidiactl").map(|node| node.gid);
        let gid = gid.map_or("GID".to_owned(), |gid| gid.to_string());
        let remedy = if process.user_namespace {
            "podman run --group-add keep-groups ...   (on the host the user must be in the group of /dev/nvidiactl)"
                .to_owned()
        } else {
            format!(
                "docker run --gpus all --group-add {gid} ...   (Kubernetes: securityContext.supplementalGroups: [{gid}])"
            )
        };
        problem.remedy = Some(remedy);
        problem
            .evidence
            .push(format!("uid {}, gid {}, groups {:?}", process.uid, process.gid, process.groups).into());
    }
    Outcome::Fail(problems)
}
