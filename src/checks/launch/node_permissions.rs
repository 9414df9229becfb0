//! The mode of the GPU device nodes does not let this user open them.

use crate::checks::shared::nodes::{
    CONTROL, EACCES, NO_NODES_CONSEQUENCES, errno_name, mode_allows, node, refused_with,
};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.node-permissions",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "This user cannot open the GPU device nodes",
    why: "The device nodes belong to a group that the container's user is not in, because the driver was configured \
          to create them with a restrictive mode. In a rootless container, the host's group appears as nobody.",
    remedy: "`docker run --gpus all --group-add GID ...` with the group of /dev/nvidiactl",
    explains: NO_NODES_CONSEQUENCES,
    codes: &[(Library::Nvml, 4)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let process = &facts.host.process;
    let mut outcome = refused_with(facts, |path, errno| {
        let node = node(facts, path);
        if errno != EACCES || node.is_some_and(|node| mode_allows(facts, node)) {
            return None;
        }
        let mode = node.map_or(String::new(), |node| {
            format!(" (mode {:04o}, uid {}, gid {})", node.mode, node.uid, node.gid)
        });
        Some(format!("{path}: user {} cannot open it{mode}: {}.", process.uid, errno_name(errno)))
    });
    if let Outcome::Fail(problems) = &mut outcome {
        let gid = node(facts, CONTROL).map_or("GID".to_owned(), |node| node.gid.to_string());
        let remedy = if process.user_namespace {
            "`podman run --group-add keep-groups ...` (on the host, the user must be in the group of /dev/nvidiactl)"
                .to_owned()
        } else {
            format!(
                "`docker run --gpus all --group-add {gid} ...` (Kubernetes: securityContext.supplementalGroups: [{gid}])"
            )
        };
        let ids = format!("uid {}, gid {}, groups {:?}", process.uid, process.gid, process.groups);
        for problem in problems {
            problem.remedy = Some(remedy.clone());
            problem.evidence.push(ids.clone().into());
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::launch::samples::refused;
    use crate::checks::shared::nodes::EPERM;
    use crate::checks::testing::{lines, passes, problem};
    use crate::facts::sample::Sample;

    /// Nodes for root and group 44, and a user with these groups.
    fn restricted(errno: i32, groups: &[u32]) -> Sample {
        refused(1, &[CONTROL], errno).host(|host| {
            let process = &mut host.process;
            (process.uid, process.gid, process.groups) = (1000, 1000, groups.to_vec());
            for node in &mut host.nodes {
                (node.mode, node.gid) = (0o660, 44);
            }
        })
    }

    #[test]
    fn the_group_to_add_is_named() {
        let problem = problem(judge(&restricted(EACCES, &[20]).facts()));
        let cause = "/dev/nvidiactl: user 1000 cannot open it (mode 0660, uid 0, gid 44): EACCES (13).";
        assert_eq!(problem.cause, cause);
        assert_eq!(problem.path.as_deref(), Some(CONTROL));
        assert!(problem.remedy.as_ref().unwrap().contains("--group-add 44 "));
        assert!(lines(&problem).contains(&"uid 1000, gid 1000, groups [20]"));
    }

    #[test]
    fn rootless_containers_keep_the_groups_of_the_user() {
        let rootless = restricted(EACCES, &[]).host(|host| host.process.user_namespace = true);
        assert!(problem(judge(&rootless.facts())).remedy.unwrap().contains("keep-groups"));
    }

    #[test]
    fn a_mode_that_allows_it_or_another_error_is_something_else() {
        for sample in [restricted(EACCES, &[44]), restricted(EPERM, &[]), Sample::machine(1)] {
            assert!(passes(judge(&sample.facts())));
        }
    }
}
