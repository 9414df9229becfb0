//! One GPU: its context, its multiprocessors, its state of health.

use super::driver::{faults, phrase};
use super::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::event::{Api, Fault, NvmlDevice, Outcome as StageOutcome};
use crate::facts::probe::{ProbeRun, Target, free_memory};
use crate::facts::{Facts, gpu_selection};
use crate::model::{ComputeMode, Fix, Level, Owner, Severity, Skip, Stage};

pub const CHECKS: &[Check] = &[
    Check {
        id: "device.wrong-results",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "A GPU computes wrong results",
        why: "The smoke kernel is integer arithmetic with one right answer, and every word is compared with the \
              host's model. A multiprocessor whose words differ is faulty, or its memory is.",
        remedy: "Take the GPU out of service: drain the node, then reset the GPU. If it happens again, have it \
                 replaced.",
        explains: &[],
        codes: &[],
        judge: wrong_results,
    },
    Check {
        id: "device.context",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "No context can be created on a GPU",
        why: "A context is what every CUDA program creates first. The driver's number says why it is refused.",
        remedy: "Look at `nvidia-smi` on the host: another process in exclusive mode, memory that is full, or a GPU \
                 that must be reset.",
        explains: &[],
        codes: &[],
        judge: context,
    },
    Check {
        id: "device.jit",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "The driver cannot compile PTX",
        why: "cudacheck's kernel is PTX and is compiled by the driver (libnvidia-ptxjitcompiler). Applications that \
              bring PTX for newer GPUs need that too.",
        remedy: "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...   brings the compiler \
                 beside libcuda; check that both have one version",
        explains: &[],
        codes: &[(Family::Driver, 218)],
        judge: jit,
    },
    Check {
        id: "device.jit-compiler",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "The driver's PTX compiler is missing",
        why: "libcuda loads libnvidia-ptxjitcompiler.so.1 when it has to compile PTX. It belongs to the driver and must be \
              of its version; a mount of libcuda alone leaves it out.",
        remedy: "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...   brings all of the driver's \
                 libraries; where they are mounted by hand, mount libnvidia-ptxjitcompiler.so.1 of the same version too",
        explains: &["device.jit"],
        codes: &[(Family::Driver, 221), (Family::Runtime, 221)],
        judge: jit_compiler,
    },
    Check {
        id: "device.ptx-too-new",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The driver cannot read PTX of this version",
        why: "Each release of CUDA writes PTX of a newer version, and a driver compiles what it knows. Compiled code for \
              the GPU runs with an older driver of the same major version, PTX does not.",
        remedy: "Upgrade the driver on the host, or use a build that has compiled code for this GPU (TORCH_CUDA_ARCH_LIST)",
        explains: &["device.jit"],
        codes: &[(Family::Driver, 222), (Family::Runtime, 222)],
        judge: ptx_too_new,
    },
    Check {
        id: "device.launch",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "A kernel does not run",
        why: "The kernel was compiled and its launch failed.",
        remedy: "Look at `dmesg | grep -i -e xid -e nvrm` on the host.",
        explains: &[],
        codes: &[],
        judge: launch,
    },
    Check {
        id: "device.row-remap",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "Memory rows of a GPU could not be replaced",
        why: "The GPU found failing rows in its memory and has no spare ones left for them.",
        remedy: "Have the GPU replaced.",
        explains: &[],
        codes: &[(Family::Driver, 214)],
        judge: remap_failed,
    },
    Check {
        id: "device.fabric",
        severity: Severity::Warning,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "A GPU is not yet part of its NVLink fabric",
        why: "GPUs behind NVSwitch must be registered by the fabric manager before CUDA can use them.",
        remedy: "On the host: sudo systemctl start nvidia-fabricmanager, of exactly the driver's version",
        explains: &[],
        codes: &[],
        judge: fabric,
    },
    Check {
        id: "device.unseen",
        severity: Severity::Unknown,
        owner: Owner::Nobody,
        fix: Fix::Wait,
        title: "Some multiprocessors were never seen",
        why: "A cooperative launch did not reach every multiprocessor or was refused, and neither did ordinary \
              ones. Those that were not seen are neither right nor wrong.",
        remedy: "Run it again when the GPU is idle, and without MPS.",
        explains: &[],
        codes: &[],
        judge: unseen,
    },
    Check {
        id: "device.ecc",
        severity: Severity::Warning,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "Uncorrected memory errors since the driver was loaded",
        why: "ECC found errors that it could not correct; programs that used that memory were ended or have wrong \
              data.",
        remedy: "Watch the counter (nvidia-smi -q -d ECC). If it grows, drain the node and reset the GPU.",
        explains: &[],
        codes: &[],
        judge: ecc,
    },
    Check {
        id: "device.reset-pending",
        severity: Severity::Warning,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "A GPU waits for a reset to replace failing memory",
        why: "Failing rows or pages were found and are replaced at the next reset.",
        remedy: "Drain the node when it suits, then reset the GPU.",
        explains: &[],
        codes: &[(Family::Nvml, 16)],
        judge: reset_pending,
    },
    Check {
        id: "device.throttled",
        severity: Severity::Warning,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "Heat or power holds the clocks of a GPU down",
        why: "The hardware lowers its clocks to protect itself. Idle clocks and a power cap that was set are not \
              counted here.",
        remedy: "Look at cooling and power supply: nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER",
        explains: &[],
        codes: &[],
        judge: throttled,
    },
    Check {
        id: "device.pcie",
        severity: Severity::Warning,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "A GPU uses fewer PCIe lanes than it has",
        why: "The link came up narrower than both ends allow, which halves the speed of copies with each step. A lower \
              generation is normal while the GPU is idle and is not told.",
        remedy: "On the host: reseat the card or its riser, look at the BIOS settings of the slot, and at dmesg | grep -i \
                 pcie. Some slots have fewer lanes than the card: then accept the finding in the configuration",
        explains: &[],
        codes: &[],
        judge: pcie,
    },
    Check {
        id: "device.memory-unaccounted",
        severity: Severity::Note,
        owner: Owner::Nobody,
        fix: Fix::Wait,
        title: "Memory of a GPU is in use by processes that cannot be seen from here",
        why: "NVML lists no process and much of the memory is taken: by processes of other containers, whose numbers this \
              container does not see, or by one that died and left its context behind.",
        remedy: "On the host: sudo fuser -v /dev/nvidia*   names the processes; nvidia-smi shows what they hold",
        explains: &[],
        codes: &[],
        judge: memory_unaccounted,
    },
    Check {
        id: "device.busy",
        severity: Severity::Note,
        owner: Owner::Nobody,
        fix: Fix::Wait,
        title: "A GPU is in use, and was not verified in full",
        why: "A busy GPU is not a broken one. Memory that an application may need next is not taken, and no context is \
              created where that would lock the application out.",
        remedy: "Run it again when the GPU is free, or be content with --level driver.",
        explains: &[],
        codes: &[(Family::Driver, 2), (Family::Driver, 46)],
        judge: busy,
    },
];

fn of_stage(facts: &Facts, stage: Stage, counts: impl Fn(&Fault) -> bool) -> Outcome {
    let problem = |(run, fault)| {
        let gpu = facts.gpu_of_run(run);
        Problem::new(format!("{}: {}", facts.gpu_name(gpu.as_ref()), phrase(fault))).gpu(gpu)
    };
    faults(facts, stage).filter(|(_, fault)| counts(fault)).map(problem).collect::<Vec<_>>().into()
}

/// Statuses of a device that is full or owned: 2 out of memory, 46 device unavailable.
const TAKEN: [i64; 2] = [2, 46];

fn context(facts: &Facts) -> Outcome {
    match of_stage(facts, Stage::Context, |fault| !fault.code.is_some_and(|code| TAKEN.contains(&code))) {
        Outcome::Pass => prohibited(facts),
        other => other,
    }
}

fn prohibited(facts: &Facts) -> Outcome {
    let problem = |run: &ProbeRun| match run.outcome(Stage::Context) {
        Some(StageOutcome::Skipped(Skip::Prohibited)) => {
            let gpu = facts.gpu_of_run(run);
            let cause = format!(
                "{}: compute mode is prohibited, so that no program can use it.",
                facts.gpu_name(gpu.as_ref())
            );
            Some(Problem::new(cause).gpu(gpu).remedy("On the host: sudo nvidia-smi -c 0"))
        }
        _ => None,
    };
    let found: Vec<Problem> = facts.probes.iter().filter_map(problem).collect();
    if !found.is_empty() || !is_shallow(facts) {
        return found.into();
    }
    let found = health(facts, |gpu| {
        let prohibited = gpu.compute_mode.known().is_some_and(|mode| *mode == ComputeMode::Prohibited);
        prohibited.then(|| "compute mode is prohibited, so that no program can use it.".to_owned())
    });
    match found {
        Outcome::Fail(problems) => {
            let cured =
                problems.into_iter().map(|problem| problem.remedy("On the host: sudo nvidia-smi -c 0"));
            Outcome::Fail(cured.collect())
        }
        // Where NVML did not answer, contexts speak for themselves.
        Outcome::Pass | Outcome::Skip(_) => Outcome::Pass,
    }
}

/// No context was to be created, so that NVML alone says what keeps one away.
fn is_shallow(facts: &Facts) -> bool {
    matches!(facts.request.level, Level::Nvml | Level::Driver)
}

fn jit(facts: &Facts) -> Outcome {
    of_stage(facts, Stage::Jit, |_| true)
}

fn jit_compiler(facts: &Facts) -> Outcome {
    of_stage(facts, Stage::Jit, |fault| fault.code == Some(221))
}

fn ptx_too_new(facts: &Facts) -> Outcome {
    of_stage(facts, Stage::Jit, |fault| fault.code == Some(222))
}

fn pcie(facts: &Facts) -> Outcome {
    health(facts, |gpu| {
        // One lane of generation 1 is what integrated GPUs say of a link that they do not have.
        let width = gpu.pcie_width.known().filter(|width| width.current > 1 && width.current < width.max)?;
        Some(format!("{} of {} lanes are in use.", width.current, width.max))
    })
}

/// What a driver holds of an idle GPU is less.
const IDLE: u64 = 2 << 30;

fn memory_unaccounted(facts: &Facts) -> Outcome {
    health(facts, |gpu| {
        let used = *gpu.memory_used.known()?;
        let nobody = gpu.compute_processes.known() == Some(&0) && gpu.mig_enabled.known() != Some(&true);
        (nobody && used > IDLE)
            .then(|| format!("{:.1} GB are in use, and no process is listed.", used as f64 / 1e9))
    })
}

fn launch(facts: &Facts) -> Outcome {
    of_stage(facts, Stage::Launch, |_| true)
}

fn wrong_results(facts: &Facts) -> Outcome {
    let mut problems = Vec::new();
    for run in &facts.probes {
        for smoke in run.smoke() {
            let gpu = facts.gpu_of_run(run);
            let name = facts.gpu_name(gpu.as_ref());
            if !smoke.sms_wrong.is_empty() {
                let ids: Vec<String> = smoke.sms_wrong.iter().map(u32::to_string).collect();
                let which = if ids.len() == 1 { "multiprocessor" } else { "multiprocessors" };
                problems.push(
                    Problem::new(format!("{name}: {which} {} computed wrong words.", ids.join(", ")))
                        .gpu(gpu)
                        .evidence(format!(
                            "{} of {} words differ from the host's model",
                            smoke.words_wrong, smoke.words
                        )),
                );
            } else if smoke.words_wrong > 0 {
                let cause = format!(
                    "{name}: {} words are wrong, and no multiprocessor signed for them.",
                    smoke.words_wrong
                );
                problems.push(Problem::new(cause).gpu(gpu));
            } else if !smoke.sums_right {
                problems.push(
                    Problem::new(format!(
                        "{name}: sums kept by atomics are wrong, though every word is right."
                    ))
                    .gpu(gpu),
                );
            }
        }
    }
    problems.into()
}

fn unseen(facts: &Facts) -> Outcome {
    let unseen = |run: &ProbeRun| {
        let smoke = run.smoke().find(|smoke| smoke.sms_covered < smoke.sms_present)?;
        let gpu = facts.gpu_of_run(run);
        let cause = format!(
            "{}: {} of {} multiprocessors were seen in {} launches.",
            facts.gpu_name(gpu.as_ref()),
            smoke.sms_covered,
            smoke.sms_present,
            smoke.launches
        );
        Some(Problem::new(cause).gpu(gpu))
    };
    facts.probes.iter().filter_map(unseen).collect::<Vec<_>>().into()
}

/// A call that failed for want of memory, or because the device is somebody's own.
pub fn is_taken(fault: &Fault) -> bool {
    match (fault.api, fault.code) {
        (Api::Driver, Some(code)) => TAKEN.contains(&code),
        // cudaErrorMemoryAllocation and cudaErrorDevicesUnavailable; CUBLAS_STATUS_ALLOC_FAILED.
        (Api::Runtime, Some(2 | 46)) | (Api::Cublas, Some(3)) => true,
        _ => false,
    }
}

/// cuBLAS says "not initialised" where its workspace does not fit into what is free.
pub fn is_starved(facts: &Facts, run: &ProbeRun, fault: &Fault) -> bool {
    let device = facts.devices().find(|device| run.target == Target::Gpu(device.ordinal));
    let free = device.and_then(|device| free_memory(&facts.probes, device));
    (fault.api, fault.code) == (Api::Cublas, Some(1)) && free.is_some_and(|free| free < 1 << 30)
}

fn busy(facts: &Facts) -> Outcome {
    let mut problems = Vec::new();
    for run in &facts.probes {
        for stage in [Stage::Context, Stage::Runtime, Stage::BlasInit] {
            let why = match run.outcome(stage) {
                Some(StageOutcome::Skipped(skip)) if skip.is_busy() => format!("{skip}."),
                Some(StageOutcome::Failed(fault)) if is_taken(fault) || is_starved(facts, run, fault) => {
                    phrase(fault)
                }
                _ => continue,
            };
            let gpu = facts.gpu_of_run(run);
            problems.push(Problem::new(format!("{}: {why}", facts.gpu_name(gpu.as_ref()))).gpu(gpu));
        }
    }
    if let (true, Outcome::Fail(taken)) = (is_shallow(facts), health(facts, taken)) {
        problems.extend(taken);
    }
    problems.into()
}

/// So that a program that comes now would not get a context. The largest on record takes 555 MiB.
fn taken(gpu: &NvmlDevice) -> Option<String> {
    let exclusive = gpu.compute_mode.known().is_some_and(|mode| mode.is_exclusive());
    let used = gpu.compute_processes.known().is_some_and(|processes| *processes > 0);
    let free = *gpu.memory_free.known()?;
    match free >> 20 {
        _ if exclusive && used => Some("it is in exclusive mode, and in use.".to_owned()),
        // A GPU that is cut into instances has none of its own.
        free @ ..640 if gpu.mig_enabled.known() != Some(&true) => {
            Some(format!("{free} MiB of its memory are free."))
        }
        _ => None,
    }
}

/// A judgement on what NVML says of each GPU.
fn health(facts: &Facts, judge: impl Fn(&NvmlDevice) -> Option<String>) -> Outcome {
    let devices: Vec<&NvmlDevice> =
        facts.probes.iter().flat_map(ProbeRun::nvml_devices).map(AsRef::as_ref).collect();
    if devices.is_empty() {
        return Outcome::Skip("NVML told of no GPU");
    }
    let problem = |device: &NvmlDevice| {
        // A GPU that is hidden from CUDA, or was not chosen, is not this container's concern.
        let gpu = gpu_selection::chosen(facts, device)?;
        judge(device)
            .map(|cause| Problem::new(format!("{}: {cause}", facts.gpu_name(Some(&gpu)))).gpu(Some(gpu)))
    };
    devices.into_iter().filter_map(problem).collect::<Vec<_>>().into()
}

fn ecc(facts: &Facts) -> Outcome {
    health(facts, |gpu| {
        let errors = *gpu.ecc_uncorrected.known()?;
        (errors > 0).then(|| format!("{errors} uncorrected ECC errors."))
    })
}

fn remap_failed(facts: &Facts) -> Outcome {
    health(facts, |gpu| {
        let rows = gpu.remapped_rows.known()?;
        rows.failed.then(|| format!("row remapping failed after {} uncorrectable rows.", rows.uncorrectable))
    })
}

fn reset_pending(facts: &Facts) -> Outcome {
    health(facts, |gpu| {
        let rows = gpu.remapped_rows.known().is_some_and(|rows| rows.pending);
        let pages = gpu.retired_pages_pending.known() == Some(&true);
        (rows || pages).then(|| "failing memory is replaced at the next reset.".to_owned())
    })
}

fn throttled(facts: &Facts) -> Outcome {
    const GRAVE: [&str; 4] = ["hardware-slowdown", "software-thermal", "hardware-thermal", "power-brake"];
    health(facts, |gpu| {
        let reasons: Vec<&str> = gpu
            .throttle
            .known()?
            .iter()
            .map(String::as_str)
            .filter(|reason| GRAVE.contains(reason))
            .collect();
        let heat = gpu.temperature.known().map_or(String::new(), |degrees| format!(" at {degrees} degrees"));
        (!reasons.is_empty()).then(|| format!("clocks are held down by {}{heat}.", reasons.join(", ")))
    })
}

fn fabric(facts: &Facts) -> Outcome {
    // A GPU on which a kernel has run needs no fabric, whatever its state says.
    let works = |gpu: &NvmlDevice| {
        let Some(gpu) = gpu_selection::chosen(facts, gpu) else { return false };
        let is = |run: &ProbeRun| facts.gpu_of_run(run).is_some_and(|of| of.is_same(&gpu));
        facts.probes.iter().any(|run| is(run) && run.smoke().next().is_some())
    };
    health(facts, |gpu| {
        if works(gpu) {
            return None;
        }
        let fabric = gpu.fabric.known()?;
        match fabric.state.as_str() {
            "in-progress" | "not-started" => Some(format!("the fabric's state is {}.", fabric.state)),
            "completed" if fabric.status != 0 => {
                Some(format!("joining the fabric ended with NVML status {}.", fabric.status))
            }
            _ => None,
        }
    })
}
