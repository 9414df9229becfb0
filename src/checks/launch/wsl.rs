//! Under WSL, the container has the node of the GPU, but the GPU does not work.

use crate::checks::shared::loading::unsearched_libcuda;
use crate::checks::shared::platform::{PLATFORM_CONSEQUENCES, has_dxg, unusable};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.wsl",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "WSL does not give this container its GPU",
    why: "Under WSL, a GPU is reached through /dev/dxg and the libraries in /usr/lib/wsl/lib; /dev/nvidia* nodes do \
          not exist there and are not needed. NVML error 17 means that the operating system blocks the access, most \
          often through the device cgroup.",
    remedy: "In WSL: set no-cgroups = false in /etc/nvidia-container-runtime/config.toml; in Windows: `wsl --update`; \
             then `docker run --gpus all ...`",
    explains: PLATFORM_CONSEQUENCES,
    codes: &[(Library::Nvml, 17)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    // Libraries that the loader does not search are reported by launch.library-path.
    if unsearched_libcuda(facts).is_some() {
        return Outcome::Pass;
    }
    let has_libraries = facts.host.driver_files.iter().any(|file| file.path.contains("/wsl/"));
    let cause = match has_libraries {
        false => "The container has /dev/dxg, but no driver library in /usr/lib/wsl/lib.",
        true => "The container has /dev/dxg and the driver libraries of WSL, but no GPU answers.",
    };
    unusable(facts, facts.host.platform.wsl && has_dxg(facts), cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::launch::samples::not_injected;
    use crate::checks::testing::{lines, passes, problem};
    use crate::facts::host::{DriverFile, Node};
    use crate::facts::sample::{Sample, fault, not_loaded};
    use crate::model::Stage;

    /// WSL with the node of the GPU, and libcuda if wanted.
    fn wsl(libcuda: bool) -> Sample {
        not_injected().host(|host| {
            host.platform.wsl = true;
            host.nodes.push(Node {
                path: "/dev/dxg".into(),
                mode: 0o666,
                uid: 0,
                gid: 0,
                major: 10,
                minor: 63,
            });
            let path = "/usr/lib/wsl/lib/libcuda.so.1";
            let file = DriverFile { path: path.into(), real: path.into(), bytes: 1000, mounted: true };
            host.driver_files.extend(libcuda.then_some(file));
        })
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(problem(judge(&wsl(false).facts())).cause.contains("no driver library"));
        let blocked = wsl(true).fault(None, Stage::DriverInit, fault("cuInit", 100)).facts();
        let problem = problem(judge(&blocked));
        assert!(problem.cause.contains("no GPU answers"), "{}", problem.cause);
        assert!(lines(&problem)[0].starts_with("cuInit returned 100"));
    }

    #[test]
    fn without_the_node_or_with_libraries_out_of_reach_another_check_reports() {
        let no_node = wsl(true).host(|host| host.nodes.clear()).facts();
        assert!(passes(judge(&no_node)));
        let message = "libcuda.so.1: cannot open shared object file: No such file or directory";
        let unfound = wsl(true).fault(None, Stage::LoadDriver, not_loaded(message)).facts();
        assert!(passes(judge(&unfound)));
    }
}
