//! What the container may use: memory, address space, shared memory, system calls, MPS.

use super::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::probe::{Ending, ProbeRun, free_memory};
use crate::model::{Evidence, Fix, Owner, Severity, Stage};

pub const CHECKS: &[Check] = &[
    Check {
        id: "launch.address-space",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "The limit of virtual memory is too low for CUDA",
        why: "The driver reserves address space for all memory of the machine and of its GPUs, far more than it uses. \
              With a finite RLIMIT_AS that fails, and CUDA says that it is out of memory while the GPU is empty.",
        remedy: "docker run --ulimit as=-1 ...   (in a shell: ulimit -v unlimited)",
        explains: &["driver.init", "device.context", "device.busy", "probe.nothing-verified"],
        codes: &[(Family::Driver, 2), (Family::Runtime, 2)],
        judge: address_space,
    },
    Check {
        id: "launch.host-memory",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "The container's memory limit is too low",
        why: "The driver and CUDA's libraries need memory of the machine as well: a context some hundred megabytes, \
              cuBLAS as much again. Beyond the limit of its cgroup a process is killed, or initialisation fails.",
        remedy: "Raise the limit: docker run --memory 4g ...   (Kubernetes: resources.limits.memory), or check less \
                 deeply: --level driver",
        explains: &["probe.crashed", "node.hmm", "driver.init", "probe.nothing-verified"],
        codes: &[(Family::Driver, 3)],
        judge: host_memory,
    },
    Check {
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
        judge: seccomp,
    },
    Check {
        id: "launch.mps",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "The MPS daemon cannot be reached",
        why: "The environment or the GPU's mode makes CUDA a client of the Multi-Process Service, and its daemon does \
              not answer: its pipes are not in the container, or it runs as another user or in another IPC namespace.",
        remedy: "docker run --ipc=host -v /tmp/nvidia-mps:/tmp/nvidia-mps ...   as the daemon's user, or unset \
                 CUDA_MPS_PIPE_DIRECTORY to do without MPS",
        explains: &["driver.init", "device.context", "probe.nothing-verified"],
        codes: &[(Family::Driver, 805), (Family::Runtime, 805)],
        judge: mps,
    },
    Check {
        id: "launch.small-shm",
        severity: Severity::Warning,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "/dev/shm is too small for several GPUs",
        why: "NCCL and the loaders of PyTorch pass data between processes through /dev/shm, of which Docker gives 64 MiB. \
              With more than one GPU that runs out: No space left on device, or a bus error.",
        remedy: "docker run --shm-size=1g ...   or --ipc=host; Kubernetes: an emptyDir with medium: Memory at /dev/shm",
        explains: &[],
        codes: &[],
        judge: small_shm,
    },
];

/// A fault of this number in one of the stages that begin to use the driver.
fn failed_with(facts: &Facts, number: i64) -> Option<(&ProbeRun, String)> {
    let stages = [Stage::DriverInit, Stage::Context];
    facts.probes.iter().find_map(|run| {
        let fault = stages.iter().find_map(|stage| run.fault(*stage))?;
        (fault.code == Some(number)).then(|| (run, super::driver::phrase(fault)))
    })
}

fn address_space(facts: &Facts) -> Outcome {
    let Some(limit) = facts.host.limits.address_space else { return Outcome::Pass };
    let Some((run, phrase)) = failed_with(facts, 2) else { return Outcome::Pass };
    // A GPU without free memory says the same, and means it.
    let device = facts
        .probes
        .iter()
        .flat_map(ProbeRun::devices)
        .find(|device| run.target == crate::facts::probe::Target::Gpu(device.ordinal));
    let free = device.and_then(|device| free_memory(&facts.probes, device));
    let at_context = run.fault(Stage::DriverInit).is_none();
    if free.is_some_and(|free| free < 1 << 30) || free.is_none() && at_context {
        return Outcome::Pass;
    }
    let cause = format!("RLIMIT_AS is {:.1} GB, and CUDA cannot reserve address space.", limit as f64 / 1e9);
    Some(Problem::new(cause).evidence(phrase).gpu(facts.gpu_of_run(run))).into()
}

fn host_memory(facts: &Facts) -> Outcome {
    let limits = &facts.host.limits;
    let Some(limit) = limits.memory else { return Outcome::Pass };
    // The kernel counts whom it ends for want of memory: another SIGKILL is somebody else's.
    let ended = |run: &&ProbeRun| matches!(run.ending, Ending::Signalled { signal: 9 }) && !run.finished();
    let killed = facts.probes.iter().find(ended).filter(|_| limits.oom_kills != Some(0));
    let refused = failed_with(facts, 3).map(|(_, phrase)| phrase);
    let near = limits.memory_used.is_some_and(|used| used > limit / 10 * 9);
    let starved = refused.is_some() && near;
    if killed.is_none() && !starved {
        return Outcome::Pass;
    }
    let mut problem =
        Problem::new(format!("The limit is {:.0} MB, and the probe needed more.", limit as f64 / 1e6));
    if killed.is_some() {
        problem = problem.evidence("a probe was ended by SIGKILL before its deadline");
    }
    problem.evidence.extend(refused.map(Evidence::from));
    problem
        .evidence
        .extend(limits.oom_kills.filter(|kills| *kills > 0).map(|kills| format!("oom_kill {kills}").into()));
    problem.gpu = killed.and_then(|run| facts.gpu_of_run(run));
    Some(problem).into()
}

fn seccomp(facts: &Facts) -> Outcome {
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

fn mps(facts: &Facts) -> Outcome {
    let Some((run, phrase)) = failed_with(facts, 805) else { return Outcome::Pass };
    let named = facts.host.environment.get("CUDA_MPS_PIPE_DIRECTORY");
    let place = named.map_or("/tmp/nvidia-mps", String::as_str);
    let cause = if facts.host.platform.mps {
        format!("The pipes of MPS are in {place}, and no daemon answers there.")
    } else {
        format!("CUDA looks for the daemon of MPS in {place}, which does not exist here.")
    };
    Some(Problem::new(cause).evidence(phrase).gpu(facts.gpu_of_run(run))).into()
}

/// What Docker gives when nobody says anything.
const DOCKERS_OWN: u64 = 64 << 20;

fn small_shm(facts: &Facts) -> Outcome {
    let Some(bytes) = facts.host.limits.shared_memory else { return Outcome::Pass };
    let gpus = facts.probes.iter().find_map(|run| run.driver().next()).map_or(0, |driver| driver.devices);
    if gpus < 2 || bytes > DOCKERS_OWN || facts.host.platform.container.is_none() {
        return Outcome::Pass;
    }
    let cause = format!("/dev/shm has {} MiB, and there are {gpus} GPUs.", bytes >> 20);
    Some(Problem::new(cause)).into()
}
