//! The machine: kernel module, fabric, licence, and their agreement with what was given to the container.

use super::driver::{faults, libcuda_loaded, phrase};
use super::launch::{answered, cuda_works, opened};
use super::loading::has_compat;
use super::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::event::{Event, Outcome as StageOutcome};
use crate::facts::probe::ProbeRun;
use crate::model::{Evidence, Fix, Level, Owner, Severity, Stage};

/// What fails when cuInit does.
const BEYOND: &[&str] = &["driver.init", "driver.no-devices", "driver.nvml", "probe.nothing-verified"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "node.driver-mismatch",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The driver's libraries and its kernel module are of different versions",
        why: "The driver was upgraded on the host while its old kernel module is still loaded, or this container still \
              has the libraries of before. Both must be of exactly one version.",
        remedy: "Recreate the container; if `nvidia-smi` fails on the host as well, reboot it or reload the modules: sudo \
                 rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia",
        explains: &[
            "image.compat-mismatch",
            "driver.init",
            "driver.no-devices",
            "driver.nvml",
            "driver.nvml-failed",
            "probe.nothing-verified",
        ],
        codes: &[(Family::Nvml, 18), (Family::Driver, 803)],
        judge: driver_mismatch,
    },
    Check {
        id: "node.confidential",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The GPU is in confidential mode and was not yet released for work",
        why: "With confidential computing a GPU takes no work until it is attested and marked as ready. CUDA says that \
              the system is not ready.",
        remedy: "On the host or in the guest, after attestation: sudo nvidia-smi conf-compute -srs 1",
        explains: &[
            "node.fabric",
            "driver.init",
            "driver.no-devices",
            "driver.nvml",
            "probe.nothing-verified",
        ],
        codes: &[(Family::Driver, 802)],
        judge: confidential,
    },
    Check {
        id: "node.fabric",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The NVLink fabric is not ready",
        why: "GPUs behind NVSwitch must be joined to the fabric by the fabric manager before CUDA may use them; \
              nvidia-smi works all the same. The manager is not installed, not running, or not of exactly the driver's \
              version.",
        remedy: "On the host: sudo systemctl start nvidia-fabricmanager   (same version as the driver: systemctl status \
                 nvidia-fabricmanager says so); where confidential computing is on: nvidia-smi conf-compute -grs",
        explains: &[
            "device.fabric",
            "driver.init",
            "driver.no-devices",
            "driver.nvml",
            "probe.nothing-verified",
        ],
        codes: &[(Family::Driver, 802), (Family::Runtime, 802)],
        judge: fabric,
    },
    Check {
        id: "node.hmm",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The driver cannot initialise its unified memory",
        why: "cuInit says 'not initialised', while the nodes open and nvidia-smi works. With some pairs of kernel and \
              open kernel module, setting up heterogeneous memory management (HMM) fails in this way.",
        remedy: "On the host: echo 'options nvidia_uvm uvm_disable_hmm=1' | sudo tee /etc/modprobe.d/nvidia-uvm.conf && \
                 sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm",
        explains: BEYOND,
        codes: &[(Family::Driver, 3), (Family::Runtime, 3)],
        judge: hmm,
    },
    Check {
        id: "node.vgpu-licence",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The virtual GPU has no licence",
        why: "A vGPU without a licence refuses work or slows down after some minutes. The guest needs a token of the \
              licence server.",
        remedy: "In the guest: put the client configuration token into /etc/nvidia/ClientConfigToken and sudo systemctl \
                 restart nvidia-gridd; nvidia-smi -q | grep -i licen shows the state",
        explains: &["driver.init", "driver.no-devices", "device.context", "probe.nothing-verified"],
        codes: &[(Family::Driver, 102), (Family::Runtime, 102)],
        judge: vgpu,
    },
    Check {
        id: "node.closed-module",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The driver is loaded and drives no GPU: it may need the open kernel module",
        why: "GPUs from Blackwell on are driven by the open kernel module alone. With the other one loaded, NVML and CUDA \
              start and find no device.",
        remedy: "On the host: lspci | grep -i nvidia   names the GPU; for Blackwell and newer install the open flavour \
                 (nvidia-driver-NNN-open, or nvidia-open) and reboot",
        explains: &[
            "launch.visible-devices",
            "driver.init",
            "driver.no-devices",
            "driver.nvml",
            "driver.nvml-failed",
            "probe.nothing-verified",
        ],
        codes: &[(Family::Driver, 100)],
        judge: closed_module,
    },
    Check {
        id: "node.uvm-wedged",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The driver's unified memory module has to be reloaded",
        why: "cuInit gives no reason, every node is right and opens. A module nvidia_uvm that did not survive a suspend of \
              the machine behaves so.",
        remedy: "On the host, with no program using a GPU: sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm",
        explains: BEYOND,
        codes: &[(Family::Driver, 999), (Family::Runtime, 999)],
        judge: uvm_wedged,
    },
    Check {
        id: "node.slow-init",
        severity: Severity::Note,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "Initialising the GPU takes seconds",
        why: "Without persistence mode the driver shuts a GPU down when its last user goes, and starts it again for the \
              next. Probes with a short deadline time out by that.",
        remedy: "On the host: sudo systemctl enable --now nvidia-persistenced",
        explains: &[],
        codes: &[],
        judge: slow_init,
    },
];

/// cuInit's number, with how it was said.
fn init(facts: &Facts) -> Option<(i64, String)> {
    faults(facts, Stage::DriverInit).find_map(|(_, fault)| Some((fault.code?, phrase(fault))))
}

/// The version in the name of a driver's file, such as libcuda.so.550.54.15.
fn version_of(path: &str) -> Option<&str> {
    let version = path.rsplit_once(".so.")?.1;
    version.contains('.').then_some(version)
}

fn driver_mismatch(facts: &Facts) -> Outcome {
    // A driver that is part of the image is the image's fault.
    if super::image::is_driver_of_image(facts) { Outcome::Pass } else { mismatch(facts).into() }
}

/// Libraries and kernel module are of different versions: NVML says so.
pub fn mismatch(facts: &Facts) -> Option<Problem> {
    let nvml = [Stage::NvmlInit, Stage::NvmlDevice];
    let by_nvml = facts.probes.iter().find_map(|run| {
        let fault = nvml.iter().find_map(|stage| run.fault(*stage))?;
        (fault.code == Some(18)).then(|| phrase(fault))
    });
    // A compatibility package in front of the driver says the same to CUDA, and is another matter.
    let by_cuda =
        init(facts).filter(|(code, _)| *code == 803 && !has_compat(facts)).map(|(_, phrase)| phrase);
    let said = by_nvml.or(by_cuda)?;
    let module = facts.host.module.as_ref().and_then(|module| module.version.as_deref());
    let files: Vec<_> =
        facts.host.driver_files.iter().filter(|file| version_of(&file.real).is_some()).collect();
    let mut problem = Problem::new(match module {
        Some(module) => format!("The kernel module is {module}, the libraries are of another version."),
        None => {
            "The driver says that the libraries are of another version than the kernel module.".to_owned()
        }
    })
    .evidence(said);
    for file in files {
        problem = problem.evidence(file.real.clone());
    }
    Some(problem)
}

fn confidential(facts: &Facts) -> Outcome {
    let ready = facts.probes.iter().flat_map(ProbeRun::nvml).find_map(|nvml| nvml.confidential_ready.known());
    match (init(facts), ready) {
        (Some((802, phrase)), Some(false)) => Some(
            Problem::new("CUDA says that the system is not ready, and NVML that the GPUs may not work yet.")
                .evidence(phrase),
        )
        .into(),
        _ => Outcome::Pass,
    }
}

fn fabric(facts: &Facts) -> Outcome {
    let Some((802, phrase)) = init(facts) else { return Outcome::Pass };
    let mut problem = Problem::new("CUDA says that the system is not ready.").evidence(phrase);
    for gpu in facts.probes.iter().flat_map(ProbeRun::nvml_devices) {
        if let Some(fabric) = gpu.fabric.known() {
            problem = problem
                .evidence(format!("GPU {}: fabric {}, status {}", gpu.index, fabric.state, fabric.status));
        }
    }
    Some(problem).into()
}

fn hmm(facts: &Facts) -> Outcome {
    let Some((3, phrase)) = init(facts) else { return Outcome::Pass };
    let module = facts.host.module.as_ref().filter(|module| module.open);
    let uvm = opened(facts).any(|(path, errno)| path == "/dev/nvidia-uvm" && errno.is_none());
    if module.is_none() || !uvm {
        return Outcome::Pass;
    }
    let mut problem = Problem::new(
        "cuInit fails with the open kernel module though its nodes open; HMM is the known reason.",
    )
    .evidence(phrase);
    match module.and_then(|module| module.hmm_disabled) {
        Some(true) => {
            problem = problem.evidence("uvm_disable_hmm is set already").remedy(
                "HMM is off already: compare kernel and driver release on the host, and look at dmesg | grep -i uvm",
            );
        }
        Some(false) => problem = problem.evidence("uvm_disable_hmm=N"),
        None => {}
    }
    Some(problem.evidence(format!("kernel {}", facts.host.kernel))).into()
}

fn vgpu(facts: &Facts) -> Outcome {
    let stages = [Stage::DriverInit, Stage::Context];
    let failed = |run| stages.iter().find_map(|stage| ProbeRun::fault(run, *stage)).map(|fault| (run, fault));
    let found = facts.probes.iter().find_map(failed).filter(|(_, fault)| fault.code == Some(102));
    let problem = found.map(|(run, fault)| {
        Problem::new("CUDA says that the device is not licensed.")
            .evidence(phrase(fault))
            .gpu(facts.gpu_of_run(run))
    });
    problem.into()
}

fn closed_module(facts: &Facts) -> Outcome {
    let Some(module) = facts.host.module.as_ref().filter(|module| !module.open) else { return Outcome::Pass };
    let nvml_sees_none = facts.probes.iter().any(|run| run.nvml().any(|nvml| nvml.gpus == 0));
    let cuda_sees_none = matches!(init(facts), Some((100, _)))
        || facts.probes.iter().any(|run| run.driver().any(|driver| driver.devices == 0));
    if !nvml_sees_none || !(cuda_sees_none || facts.request.level == Level::Nvml) || answered(facts) {
        return Outcome::Pass;
    }
    let version = module.version.as_deref().unwrap_or("of unknown version");
    Some(
        Problem::new(format!("The driver {version} answers, NVML and CUDA count no GPU."))
            .evidence("/proc/driver/nvidia/version does not say 'Open Kernel Module'"),
    )
    .into()
}

fn uvm_wedged(facts: &Facts) -> Outcome {
    let Some((999, phrase)) = init(facts) else { return Outcome::Pass };
    let nodes: Vec<_> = opened(facts).collect();
    let uvm = nodes.iter().any(|(path, errno)| *path == "/dev/nvidia-uvm" && errno.is_none());
    if !uvm || nodes.iter().any(|(_, errno)| errno.is_some()) {
        return Outcome::Pass;
    }
    let mut problem = Problem::new("cuInit fails without a reason, and every node opens.").evidence(phrase);
    problem.evidence.extend(libcuda_loaded(facts).iter().map(|path| Evidence::of(path, "")));
    Some(problem).into()
}

/// Longer is told.
const SLOW: f64 = 2.0;

fn slow_init(facts: &Facts) -> Outcome {
    let off = facts
        .probes
        .iter()
        .flat_map(ProbeRun::nvml_devices)
        .any(|gpu| gpu.persistence.known() == Some(&false));
    let seconds = facts.probes.iter().flat_map(|run| &run.events).find_map(|event| match event {
        Event::Left { stage: Stage::DriverInit, seconds, outcome: StageOutcome::Passed, .. } => {
            Some(*seconds)
        }
        _ => None,
    });
    let Some(seconds) = seconds.filter(|seconds| *seconds > SLOW && off && cuda_works(facts)) else {
        return Outcome::Pass;
    };
    Some(Problem::new(format!("cuInit took {seconds:.1} s, and persistence mode is off."))).into()
}
