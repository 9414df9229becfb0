//! The device nodes in /dev: which are there, which the probe could open, and what their modes allow.
//!
//! Whether CUDA or NVML work is in `access`.

use crate::checks::shared::access::gpu_works;
use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::facts::event::Event;
use crate::facts::host::Node;

/// What fails where device nodes cannot be opened.
pub const NO_NODES_CONSEQUENCES: &[&str] = &[
    "driver.load",
    "driver.init",
    "driver.no-devices",
    "driver.nvml",
    "driver.nvml-failed",
    "driver.gpu-lost",
    "launch.visible-devices",
    "node.mig-empty",
    "node.uvm-wedged",
    "probe.nothing-verified",
];

/// The node of the control device, which every user of the driver opens.
pub const CONTROL: &str = "/dev/nvidiactl";

/// The node of unified memory, which CUDA needs and NVML does not.
pub const UVM: &str = "/dev/nvidia-uvm";

pub const EPERM: i32 = 1;
pub const ENXIO: i32 = 6;
pub const EACCES: i32 = 13;
pub const ENODEV: i32 = 19;

pub fn errno_name(errno: i32) -> String {
    let name = match errno {
        EPERM => "EPERM",
        2 => "ENOENT",
        5 => "EIO",
        ENXIO => "ENXIO",
        EACCES => "EACCES",
        16 => "EBUSY",
        ENODEV => "ENODEV",
        30 => "EROFS",
        _ => return format!("errno {errno}"),
    };
    format!("{name} ({errno})")
}

fn is_driver_node(node: &Node) -> bool {
    node.path.starts_with("/dev/nvidia")
}

/// Any node of the NVIDIA driver is in the container.
pub fn has_driver_nodes(facts: &Facts) -> bool {
    facts.host.nodes.iter().any(is_driver_node)
}

pub fn node<'a>(facts: &'a Facts, path: &str) -> Option<&'a Node> {
    facts.host.nodes.iter().find(|node| node.path == path)
}

/// The nodes that the probe tried to open, with the errno of each that did not open.
pub fn open_attempts(facts: &Facts) -> impl Iterator<Item = (&str, Option<i32>)> {
    facts.probes.iter().flat_map(|run| &run.events).filter_map(|event| match event {
        Event::Node { path, errno } => Some((path.as_str(), *errno)),
        _ => None,
    })
}

/// The nodes that did not open, if no GPU can be used without them. One of several GPUs may be withheld on
/// purpose; the control nodes are needed for all.
pub fn refused(facts: &Facts) -> Vec<(&str, i32)> {
    let refused: Vec<(&str, i32)> =
        open_attempts(facts).filter_map(|(path, errno)| Some((path, errno?))).collect();
    let is_control = |path: &str| path == CONTROL || path == UVM;
    let is_refused = |node: &Node| refused.iter().any(|(path, _)| *path == node.path);
    let nodes = facts.host.nodes.iter().filter(|node| is_driver_node(node)).count();
    let mut gpus = facts.host.nodes.iter().filter(|node| node.is_gpu()).peekable();
    let all_gpus = gpus.peek().is_some() && gpus.all(is_refused);
    let fatal = refused.iter().any(|(path, _)| is_control(path)) || all_gpus || refused.len() >= nodes.max(1);
    if gpu_works(facts) || !fatal { Vec::new() } else { refused }
}

/// A problem that lists all refused nodes, if `cause` has one for the first of them.
pub fn refused_with(facts: &Facts, cause: impl Fn(&str, i32) -> Option<String>) -> Outcome {
    if open_attempts(facts).next().is_none() {
        return Outcome::Skip("the probe opened no device node");
    }
    let refused = refused(facts);
    let Some(&(path, errno)) = refused.first() else { return Outcome::Pass };
    let Some(cause) = cause(path, errno) else { return Outcome::Pass };
    let problem = Problem::new(cause).at(path);
    let list = |problem: Problem, (path, errno): &(&str, i32)| {
        problem.evidence(format!("open {path}: {}", errno_name(*errno)))
    };
    Some(refused.iter().fold(problem, list)).into()
}

/// Whether the mode of a node lets this process read and write.
pub fn mode_allows(facts: &Facts, node: &Node) -> bool {
    let process = &facts.host.process;
    let bits = if process.uid == node.uid {
        node.mode >> 6
    } else if process.gid == node.gid || process.groups.contains(&node.gid) {
        node.mode >> 3
    } else {
        node.mode
    };
    // Root in a user namespace has no privilege over nodes of the host.
    process.uid == 0 && !process.user_namespace || bits & 0o6 == 0o6
}

/// SELinux confines this process to what containers may do.
pub fn is_selinux_confined(facts: &Facts) -> bool {
    facts.host.process.label.as_deref().is_some_and(|label| label.contains(":container_t:"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Event;
    use crate::facts::sample::Sample;

    /// A machine with two GPUs on which CUDA does not work and these nodes did not open.
    fn refusing(paths: &[&str]) -> Facts {
        let refuse = |event: &mut Event| match event {
            Event::Node { path, errno } if paths.contains(&path.as_str()) => *errno = Some(EPERM),
            Event::Driver(driver) => driver.devices = 0,
            _ => {}
        };
        Sample::machine(2).run(None, |run| run.events.iter_mut().for_each(refuse)).facts()
    }

    #[test]
    fn refusals_count_where_they_leave_no_gpu() {
        let count = |paths: &[&str]| refused(&refusing(paths)).len();
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&["/dev/nvidia1"]), 0, "GPU 0 is left");
        assert_eq!(count(&["/dev/nvidia0", "/dev/nvidia1"]), 2);
        assert_eq!(count(&[UVM]), 1);
        assert_eq!(count(&[CONTROL, "/dev/nvidia1"]), 2);
    }

    #[test]
    fn refusals_do_not_count_where_cuda_works() {
        let mut facts = refusing(&[CONTROL]);
        let devices = |event: &mut Event| {
            if let Event::Driver(driver) = event {
                driver.devices = 2;
            }
        };
        facts.probes.iter_mut().flat_map(|run| &mut run.events).for_each(devices);
        assert_eq!(refused(&facts), []);
    }

    #[test]
    fn modes_are_read_as_the_kernel_reads_them() {
        let allows = |uid, gid, groups: &[u32], user_namespace| {
            let facts = Sample::machine(1).host(|host| {
                let process = &mut host.process;
                (process.uid, process.gid, process.user_namespace) = (uid, gid, user_namespace);
                process.groups = groups.to_vec();
            });
            let node = Node { path: CONTROL.into(), mode: 0o660, uid: 0, gid: 44, major: 195, minor: 255 };
            mode_allows(&facts.facts(), &node)
        };
        assert!(!allows(1000, 1000, &[], false));
        assert!(allows(1000, 44, &[], false) && allows(1000, 1000, &[44], false));
        assert!(allows(0, 0, &[], false));
        // A rootless container shows the host's IDs as nobody.
        let node = Node { path: CONTROL.into(), mode: 0o660, uid: 65534, gid: 65534, major: 195, minor: 255 };
        let rootless = Sample::machine(1).host(|host| host.process.user_namespace = true).facts();
        assert!(!mode_allows(&rootless, &node));
    }
}
