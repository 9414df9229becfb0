//! The driver and NVML: do they load, initialise and list GPUs?

use crate::model::{Fix, GpuRef, Level, Owner, Severity, Stage};
use std::collections::BTreeSet;

use super::{Check, Outcome, Problem};
use crate::codes::{self, Family};
use crate::facts::event::{Device, Event, Fault, Outcome as StageOutcome};
use crate::facts::probe::ProbeRun;
use crate::facts::{Facts, gpu_selection};

pub const CHECKS: &[Check] = &[
    Check {
        id: "driver.load",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "libcuda.so.1 does not load",
        why: "The loader finds the driver library and refuses it, or does not find it where the application would \
              look. What it says names the file or symbol.",
        remedy: "Read the loader's message: 'cannot open' wants the library's directory in ld.so.conf or \
                 LD_LIBRARY_PATH, 'GLIBC_x not found' a newer base image, 'file too short' a rebuild without the \
                 NVIDIA runtime.",
        explains: &["probe.nothing-verified"],
        codes: &[],
        judge: load,
    },
    Check {
        id: "driver.init",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "CUDA does not initialise",
        why: "cuInit is the first thing that every CUDA program does. Its number is none of those that say more: those \
              have findings of their own.",
        remedy: "Run `cudacheck explain NUMBER` with the number above; then `nvidia-smi` and `dmesg | grep -i nvrm` on \
                 the host, and compare the versions of driver and library",
        explains: &["driver.nvml", "driver.no-devices", "probe.nothing-verified"],
        codes: &[],
        judge: init,
    },
    Check {
        id: "driver.no-devices",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "CUDA sees no GPU",
        why: "The driver works and lists no device. Usually CUDA_VISIBLE_DEVICES names none that exists: enumeration \
              stops at the first entry that is wrong, and inside a container GPUs are numbered from 0 again. A GPU \
              with MIG enabled and no instance is not listed either.",
        remedy: "Unset CUDA_VISIBLE_DEVICES: the container has only its own GPUs anyway",
        explains: &["probe.nothing-verified"],
        codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
        judge: no_devices,
    },
    Check {
        id: "driver.call",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "The driver refuses to describe its devices",
        why: "cuInit succeeded and a plain question after it failed.",
        remedy: "Look at `nvidia-smi` and `dmesg | grep -i -e xid -e nvrm` on the host.",
        explains: &["probe.nothing-verified"],
        codes: &[],
        judge: enumerate,
    },
    Check {
        id: "driver.gpu-lost",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "A GPU does not answer",
        why: "NVML counts the GPU and cannot open it. Number 15 says that it fell off the bus, 16 that it must be \
              reset.",
        remedy: "Drain the node, then reset the GPU or power-cycle the machine; `dmesg | grep -i xid` on the host \
                 tells why it was lost.",
        explains: &[],
        codes: &[(Family::Nvml, 15), (Family::Nvml, 16)],
        judge: gpu_lost,
    },
    Check {
        id: "driver.nvml",
        severity: Severity::Warning,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "NVML does not work, which CUDA does not need",
        why: "NVML tells the health of a GPU: ECC, temperature, throttling, free memory. It belongs to the capability \
              'utility'. Without it CUDA works all the same, and cudacheck cannot see whether the GPU is busy.",
        remedy: "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...",
        explains: &[],
        codes: &[(Family::Nvml, 12)],
        judge: nvml,
    },
    Check {
        id: "driver.nvml-failed",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "NVML does not work",
        why: "At this level NVML is all that is asked, and it did not answer. Number 18 says that library and kernel \
              module are of different versions, 9 that no driver is loaded, 999 that device nodes cannot be opened, \
              4 that they may not be.",
        remedy: "Recreate the container, so that it gets the libraries and nodes of the driver that runs now",
        explains: &["probe.nothing-verified"],
        codes: &[],
        judge: nvml_failed,
    },
    Check {
        id: "driver.too-few",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "Fewer GPUs than required",
        why: "--require-gpus names how many GPUs must be there.",
        remedy: "Give the container more GPUs (docker run --gpus N ...), or lower --require-gpus.",
        explains: &["probe.nothing-verified"],
        codes: &[],
        judge: too_few,
    },
];

/// A fault in one phrase: what was called, what came back.
pub fn phrase(fault: &Fault) -> String {
    let returned = match (fault.code, name(fault)) {
        (None, _) => format!("{} failed", fault.call),
        (Some(code), Some(name)) => format!("{} returned {code} ({name})", fault.call),
        (Some(code), None) => {
            let library = Family::of(fault.api).map_or("the loader", Family::label);
            format!("{} returned {code} ({library}, no known name)", fault.call)
        }
    };
    match fault.detail.as_str() {
        "" => format!("{returned}."),
        detail => format!("{returned}: {detail}."),
    }
}

/// The library's own name for a number, else that of the tables: NVML and CUPTI of some releases give none,
/// and an older library knows fewer. Where a library has no name it may give words, such as 'unrecognized
/// error code'.
fn name(fault: &Fault) -> Option<&str> {
    let is_name =
        |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let own = fault.name.as_deref().filter(is_name);
    own.or_else(|| Some(codes::named(Family::of(fault.api)?, fault.code?)?.name))
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

fn init(facts: &Facts) -> Outcome {
    let problem = faults(facts, Stage::DriverInit).next().map(|(_, fault)| {
        let mut problem = Problem::new(phrase(fault));
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
pub fn libcuda_loaded(facts: &Facts) -> BTreeSet<String> {
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
    let devices = || facts.probes.iter().flat_map(ProbeRun::devices);
    let concerns = |index: u32| {
        let listed = |device: &Device| device.ordinal == index && gpu_selection::is_named(facts, device);
        gpu_selection::concerns(facts, index) || cuda == Some(nvml) && devices().any(listed)
    };
    let lost = facts.probes.iter().flat_map(|run| &run.events).filter_map(|event| match event {
        Event::Left { stage: Stage::NvmlDevice, gpu, outcome: StageOutcome::Failed(fault), .. }
            // NVML counts GPUs that belong to other containers, and says so when they are asked.
            if (fault.code != Some(NO_PERMISSION) || gpu_selection::is_said(facts)) && gpu.is_none_or(concerns) =>
        {
            let cause = format!("GPU {} as NVML counts: {}", gpu.unwrap_or_default(), phrase(fault));
            let counted = |index| match alike && cuda.is_some() {
                true => GpuRef { ordinal: Some(index), ..facts.gpu_of_index(index) },
                false => facts.gpu_of_index(index),
            };
            Some(Problem::new(cause).gpu(gpu.map(counted)))
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
    if facts.request.level == Level::Nvml {
        return Outcome::Skip("driver.nvml-failed speaks of it");
    }
    nvml_fault(facts).map(|fault| Problem::new(phrase(fault))).into()
}

fn nvml_failed(facts: &Facts) -> Outcome {
    if facts.request.level != Level::Nvml {
        return Outcome::Skip("driver.nvml speaks of it");
    }
    nvml_fault(facts).map(|fault| Problem::new(phrase(fault))).into()
}

fn too_few(facts: &Facts) -> Outcome {
    let Some(required) = facts.request.require_gpus else {
        return Outcome::Skip("--require-gpus was not given");
    };
    let count = |run: &ProbeRun| match facts.request.level {
        // One of NVML's list that CUDA does not show, or that was not chosen, is none that this container has.
        Level::Nvml => run.nvml_devices().filter(|gpu| gpu_selection::chosen(facts, gpu).is_some()).count(),
        _ => run.devices().filter(|device| gpu_selection::is_named(facts, device)).count(),
    };
    let seen = facts.probes.iter().map(count).max();
    let seen = seen.unwrap_or(0);
    // That there is none at all is told by what keeps it away.
    if seen >= required as usize || seen == 0 {
        return Outcome::Pass;
    }
    Some(Problem::new(format!("{seen} GPUs answered, {required} are required."))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Api;

    #[test]
    fn faults_are_named_by_the_library_or_by_the_tables_and_never_guessed() {
        let said = |api, code, name: Option<&str>, detail: &str| {
            let (name, detail) = (name.map(str::to_owned), detail.to_owned());
            phrase(&Fault { api, call: "call".into(), code, name, detail })
        };
        assert_eq!(said(Api::Driver, Some(100), None, ""), "call returned 100 (CUDA_ERROR_NO_DEVICE).");
        assert_eq!(said(Api::Driver, Some(100), Some("ITS_OWN"), "x"), "call returned 100 (ITS_OWN): x.");
        assert_eq!(said(Api::Nvml, Some(100), None, ""), "call returned 100 (NVML, no known name).");
        assert_eq!(
            said(Api::Nvml, Some(9), None, "Driver Not Loaded"),
            "call returned 9 (NVML_ERROR_DRIVER_NOT_LOADED): Driver Not Loaded."
        );
        // What the runtime and cuBLAS say of a number that they do not know.
        let unknown = "unrecognized error code";
        assert_eq!(
            said(Api::Runtime, Some(4242), Some(unknown), unknown),
            "call returned 4242 (CUDA runtime, no known name): unrecognized error code."
        );
        assert_eq!(
            said(Api::Runtime, Some(803), Some(unknown), ""),
            "call returned 803 (cudaErrorSystemDriverMismatch)."
        );
        assert_eq!(
            said(Api::Cublas, Some(4242), Some("<unknown>"), ""),
            "call returned 4242 (cuBLAS, no known name)."
        );
        assert_eq!(said(Api::Loader, None, None, "no such file"), "call failed: no such file.");
    }
}
