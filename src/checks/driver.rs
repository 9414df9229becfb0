//! The driver and NVML: do they load, initialise and list GPUs?

use std::collections::BTreeSet;

use super::{Check, Outcome, Problem};
use crate::event::{Api, Event, Fault, Outcome as StageOutcome, Stage};
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::report::Severity;

pub const CHECKS: &[Check] = &[
    Check {
        id: "driver.load",
        severity: Severity::Error,
        title: "libcuda.so.1 does not load",
        why: "The loader finds the driver library and refuses it, or does not find it where the application would \
              look. What it says names the file or symbol.",
        remedy: "Read the loader's message: 'cannot open' wants the library's directory in ld.so.conf or \
                 LD_LIBRARY_PATH, 'GLIBC_x not found' a newer base image, 'file too short' a rebuild without the \
                 NVIDIA runtime.",
        explains: &["probe.nothing-verified"],
        judge: load,
    },
    Check {
        id: "driver.init",
        severity: Severity::Error,
        title: "CUDA does not initialise",
        why: "cuInit is the first thing that every CUDA program does. Its number says what is wrong; `cudacheck \
              explain` knows the usual ones.",
        remedy: "Look the number up below, and compare the versions of driver and library on the host with \
                 `nvidia-smi`.",
        explains: &["driver.nvml", "driver.no-devices", "probe.nothing-verified"],
        judge: init,
    },
    Check {
        id: "driver.no-devices",
        severity: Severity::Error,
        title: "CUDA sees no GPU",
        why: "The driver works and lists no device. Usually CUDA_VISIBLE_DEVICES names none that exists: enumeration \
              stops at the first entry that is wrong, and inside a container GPUs are numbered from 0 again. A GPU \
              with MIG enabled and no instance is not listed either.",
        remedy: "Unset CUDA_VISIBLE_DEVICES: the container has only its own GPUs anyway",
        explains: &["probe.nothing-verified"],
        judge: no_devices,
    },
    Check {
        id: "driver.call",
        severity: Severity::Error,
        title: "The driver refuses to describe its devices",
        why: "cuInit succeeded and a plain question after it failed.",
        remedy: "Look at `nvidia-smi` and `dmesg | grep -i -e xid -e nvrm` on the host.",
        explains: &["probe.nothing-verified"],
        judge: enumerate,
    },
    Check {
        id: "driver.gpu-lost",
        severity: Severity::Error,
        title: "A GPU does not answer",
        why: "NVML counts the GPU and cannot open it. Number 15 says that it fell off the bus, 16 that it must be \
              reset.",
        remedy: "Drain the node, then reset the GPU or power-cycle the machine; `dmesg | grep -i xid` on the host \
                 tells why it was lost.",
        explains: &[],
        judge: gpu_lost,
    },
    Check {
        id: "driver.nvml",
        severity: Severity::Warning,
        title: "NVML does not work, CUDA does",
        why: "NVML tells the health of a GPU: ECC, temperature, throttling, free memory. It belongs to the capability \
              'utility'. Without it CUDA works all the same, and cudacheck cannot see whether the GPU is busy.",
        remedy: "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...",
        explains: &[],
        judge: nvml,
    },
    Check {
        id: "driver.nvml-failed",
        severity: Severity::Error,
        title: "NVML does not work",
        why: "At this level NVML is all that is asked, and it did not answer. Number 18 says that library and kernel \
              module are of different versions, 9 that no driver is loaded, 999 that device nodes cannot be opened, \
              4 that they may not be.",
        remedy: "Recreate the container, so that it gets the libraries and nodes of the driver that runs now",
        explains: &["probe.nothing-verified"],
        judge: nvml_failed,
    },
    Check {
        id: "driver.too-few",
        severity: Severity::Error,
        title: "Fewer GPUs than required",
        why: "--require-gpus names how many GPUs must be there.",
        remedy: "Give the container more GPUs (docker run --gpus N ...), or lower --require-gpus.",
        explains: &["probe.nothing-verified"],
        judge: too_few,
    },
];

/// A fault in one phrase: what was called, what came back.
pub fn phrase(fault: &Fault) -> String {
    let name = fault.name.as_deref().unwrap_or_default();
    let code = match (fault.code, name) {
        (Some(code), "") => {
            format!("{} returned {code}, a number that this library does not name", fault.call)
        }
        (Some(code), name) => format!("{} returned {code} ({name})", fault.call),
        (None, _) => format!("{} failed", fault.call),
    };
    // NVML gives its codes no names, only sentences.
    let code = if fault.api == Api::Nvml && !fault.detail.is_empty() {
        fault.code.map_or(code, |number| format!("{} returned {number}", fault.call))
    } else {
        code
    };
    match fault.detail.as_str() {
        "" => format!("{code}."),
        detail => format!("{code}: {detail}."),
    }
}

pub fn faults(facts: &Facts, stage: Stage) -> impl Iterator<Item = (&ProbeRun, &Fault)> {
    facts.probes.iter().filter_map(move |run| run.fault(stage).map(|fault| (run, fault)))
}

fn load(facts: &Facts) -> Outcome {
    let problem = faults(facts, Stage::LoadDriver).next().map(|(_, fault)| {
        let mut problem = Problem::new(phrase(fault));
        for copy in facts.census.copies.iter().filter(|copy| copy.library == "libcuda") {
            problem = problem.evidence(format!("{}: {} bytes", copy.path, copy.bytes));
        }
        if let Some(value) = facts.host.environment.get("LD_LIBRARY_PATH") {
            problem = problem.evidence(format!("LD_LIBRARY_PATH={value}"));
        }
        problem
    });
    problem.into()
}

/// The usual numbers of cuInit, each with what it means in a container and what to do.
const INIT: &[(i64, &str, &str)] = &[
    (
        3,
        "The driver could not set itself up; with the open kernel module HMM is a known reason.",
        "On the host: echo 'options nvidia_uvm uvm_disable_hmm=1' | sudo tee /etc/modprobe.d/uvm.conf, then reload nvidia_uvm",
    ),
    (
        34,
        "A stub answers in place of the driver.",
        "Take the stubs directory out of LD_LIBRARY_PATH and run ldconfig",
    ),
    (
        100,
        "The driver finds no device that it may use.",
        "Unset CUDA_VISIBLE_DEVICES; with MIG, create an instance: sudo nvidia-smi mig -cgi PROFILE -C",
    ),
    (
        304,
        "A system call that the driver needs is refused, by seccomp most likely.",
        "Run with the default seccomp profile, or allow memfd_create and the NUMA calls in yours",
    ),
    (
        802,
        "The fabric is not ready: GPUs behind NVSwitch wait for the fabric manager.",
        "On the host: sudo systemctl start nvidia-fabricmanager, of exactly the driver's version",
    ),
    (
        803,
        "libcuda and the kernel module do not fit each other; a compat package in front of the driver's library is the usual reason.",
        "Take /usr/local/cuda/compat out of LD_LIBRARY_PATH and ld.so.conf.d, then run ldconfig",
    ),
    (
        804,
        "Forward compatibility was tried on a GPU that does not support it.",
        "Use a newer driver or an older CUDA image; compat packages work on data-centre GPUs",
    ),
    (
        805,
        "The MPS daemon that the environment names cannot be reached.",
        "Mount its pipe directory and run with --ipc=host, or unset CUDA_MPS_PIPE_DIRECTORY",
    ),
    (
        999,
        "The driver gives no reason; /dev/nvidia-uvm that is missing or of an old major number is the usual one.",
        "On the host: sudo nvidia-modprobe -u -c=0, then recreate the container",
    ),
];

fn init(facts: &Facts) -> Outcome {
    let problem = faults(facts, Stage::DriverInit).next().map(|(_, fault)| {
        let known = INIT.iter().find(|(code, ..)| Some(*code) == fault.code);
        let mut problem = match known {
            Some((_, meaning, remedy)) => {
                Problem::new(format!("{} {meaning}", phrase(fault))).remedy(*remedy)
            }
            None => Problem::new(phrase(fault)),
        };
        if let Some(version) = facts.host.module.as_ref().and_then(|module| module.version.as_ref()) {
            problem = problem.evidence(format!("kernel module {version}"));
        }
        for path in libcuda_loaded(facts) {
            problem = problem.evidence(path);
        }
        if !facts.host.nodes.is_empty() && !facts.host.nodes.iter().any(|node| node.path == "/dev/nvidia-uvm")
        {
            problem = problem.evidence("/dev/nvidia-uvm does not exist");
        }
        if let Some(value) = facts.host.environment.get("CUDA_VISIBLE_DEVICES") {
            problem = problem.evidence(format!("CUDA_VISIBLE_DEVICES={value}"));
        }
        problem
    });
    problem.into()
}

/// The files that were mapped for libcuda, each once.
fn libcuda_loaded(facts: &Facts) -> BTreeSet<String> {
    let events = facts.probes.iter().flat_map(|run| &run.events);
    let path = |event: &Event| match event {
        Event::Library { name, path, .. } if name == "libcuda" => Some(path.clone()),
        _ => None,
    };
    events.filter_map(path).collect()
}

fn no_devices(facts: &Facts) -> Outcome {
    let none = facts.probes.iter().any(|run| run.driver().any(|driver| driver.devices == 0));
    if !none {
        return Outcome::Pass;
    }
    let mut problem = Problem::new("cuInit succeeded, and cuDeviceGetCount says 0.");
    if let Some(nvml) = facts.probes.iter().find_map(|run| run.nvml().next()) {
        problem = problem.evidence(format!("NVML sees {} GPUs", nvml.gpus));
    }
    if let Some(value) = facts.host.environment.get("CUDA_VISIBLE_DEVICES") {
        problem = problem.evidence(format!("CUDA_VISIBLE_DEVICES={value}"));
    }
    Some(problem).into()
}

fn enumerate(facts: &Facts) -> Outcome {
    faults(facts, Stage::Enumerate).map(|(_, fault)| Problem::new(phrase(fault))).collect::<Vec<_>>().into()
}

/// NVML's status for a GPU that this process may not use.
const NO_PERMISSION: i64 = 4;

fn gpu_lost(facts: &Facts) -> Outcome {
    // A GPU that does not answer has no UUID to be matched by. Where NVML and CUDA count alike, they
    // are taken to number alike.
    let nvml = facts.probes.iter().find_map(|run| run.nvml().next()).map_or(0, |nvml| nvml.gpus);
    let cuda = facts.probes.iter().find_map(|run| run.driver().next()).map(|driver| driver.devices);
    let alike = cuda.is_none_or(|cuda| cuda == nvml);
    let lost = facts.probes.iter().flat_map(|run| &run.events).filter_map(|event| match event {
        Event::Left { stage: Stage::NvmlDevice, gpu, outcome: StageOutcome::Failed(fault), .. }
            // NVML counts GPUs that belong to other containers, and says so when they are asked.
            if fault.code != Some(NO_PERMISSION) =>
        {
            let cause = format!("GPU {} as NVML counts: {}", gpu.unwrap_or_default(), phrase(fault));
            Some(Problem::new(cause).gpu(gpu.filter(|_| alike)))
        }
        _ => None,
    });
    lost.collect::<Vec<_>>().into()
}

fn nvml_fault(facts: &Facts) -> Option<&Fault> {
    let survey = facts.probes.first()?;
    survey.fault(Stage::LoadNvml).or(survey.fault(Stage::NvmlInit))
}

fn nvml(facts: &Facts) -> Outcome {
    if facts.request.level == "nvml" {
        return Outcome::Skip("driver.nvml-failed speaks of it");
    }
    nvml_fault(facts).map(|fault| Problem::new(phrase(fault))).into()
}

fn nvml_failed(facts: &Facts) -> Outcome {
    if facts.request.level != "nvml" {
        return Outcome::Skip("driver.nvml speaks of it");
    }
    nvml_fault(facts).map(|fault| Problem::new(phrase(fault))).into()
}

fn too_few(facts: &Facts) -> Outcome {
    let Some(required) = facts.request.require_gpus else {
        return Outcome::Skip("--require-gpus was not given");
    };
    let seen = match facts.request.level.as_str() {
        "nvml" => facts.probes.iter().map(|run| run.nvml_devices().count()).max(),
        _ => facts.probes.iter().map(|run| run.devices().count()).max(),
    };
    let seen = seen.unwrap_or(0);
    if seen >= required as usize {
        return Outcome::Pass;
    }
    Some(Problem::new(format!("{seen} GPUs answered, {required} are required."))).into()
}
