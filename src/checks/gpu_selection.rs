//! Which GPUs CUDA is allowed to see: CUDA_VISIBLE_DEVICES, and MIG instances.

use super::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::event::NvmlDevice;
use crate::facts::probe::ProbeRun;
use crate::facts::{Facts, gpu_selection};
use crate::model::{Fix, Level, Owner, Severity, Stage};

const BEYOND: &[&str] = &["driver.init", "driver.no-devices", "driver.too-few", "probe.nothing-verified"];

pub const CHECKS: &[Check] = &[
    Check {
        id: "launch.mig-name",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "CUDA_VISIBLE_DEVICES names a MIG instance that is not here",
        why: "Since driver 470 an instance has a UUID of its own (MIG-UUID); names of the older form \
              (MIG-GPU-UUID/GI/CI) select nothing, and neither does the UUID of an instance that was destroyed, made \
              anew, or given to another container.",
        remedy: "Use a name that `nvidia-smi -L` prints inside this container, or unset CUDA_VISIBLE_DEVICES",
        explains: &[
            "launch.visible-devices",
            "driver.init",
            "driver.no-devices",
            "driver.too-few",
            "probe.nothing-verified",
        ],
        codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
        judge: mig_name,
    },
    Check {
        id: "launch.visible-devices",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "CUDA_VISIBLE_DEVICES hides every GPU",
        why: "CUDA lists the devices that the variable names, and stops at the first entry that names none. Inside a \
              container GPUs are numbered from 0 again, so numbers or UUIDs of the host select nothing; nor does an \
              empty value, or -1.",
        remedy: "Unset CUDA_VISIBLE_DEVICES: the container has only its own GPUs anyway",
        explains: BEYOND,
        codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
        judge: hides_all,
    },
    Check {
        id: "node.mig-empty",
        severity: Severity::Error,
        owner: Owner::Node,
        fix: Fix::Host,
        title: "MIG is enabled and there is no instance",
        why: "A GPU in MIG mode is offered to CUDA through its instances alone. Until one is made there is no device.",
        remedy: "On the host: sudo nvidia-smi mig -cgi PROFILE -C   (nvidia-smi mig -lgip lists profiles), or turn MIG \
                 off: sudo nvidia-smi -mig 0",
        explains: BEYOND,
        codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
        judge: mig_empty,
    },
    Check {
        id: "launch.gpu-absent",
        severity: Severity::Error,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "A GPU that --gpus names is not here",
        why: "Numbers count the GPUs that CUDA shows to this container, from 0 on and after CUDA_VISIBLE_DEVICES; UUIDs \
              are those of nvidia-smi -L. A GPU that has fallen off its bus is not listed any more.",
        remedy: "Name GPUs that `nvidia-smi -L` lists inside the container, or leave --gpus (CUDACHECK_GPUS) out",
        explains: &["driver.too-few", "probe.nothing-verified"],
        codes: &[],
        judge: absent,
    },
    Check {
        id: "launch.visible-devices-cut",
        severity: Severity::Warning,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "CUDA_VISIBLE_DEVICES names more GPUs than CUDA lists",
        why: "CUDA stops at the first entry that names no device, or one that was named before, and says nothing. An \
              application that expects as many devices as entries fails later with error 101.",
        remedy: "Unset CUDA_VISIBLE_DEVICES, or name only devices that `nvidia-smi -L` lists inside the container",
        explains: &[],
        codes: &[(Family::Driver, 101), (Family::Runtime, 101)],
        judge: cut,
    },
    Check {
        id: "device.mig-one",
        severity: Severity::Note,
        owner: Owner::Launch,
        fix: Fix::Recreate,
        title: "CUDA uses one of several MIG instances",
        why: "A process can use one MIG instance alone, whatever was given to its container.",
        remedy: "Start one process for each instance, each with CUDA_VISIBLE_DEVICES=MIG-UUID of its own",
        explains: &[],
        codes: &[],
        judge: mig_one,
    },
];

/// CUDA has been asked and has no device; or it was not asked, and by its rules it would have none.
fn sees_none(facts: &Facts) -> bool {
    if facts.request.level == Level::Nvml && variable(facts).is_some() {
        return gpu_selection::visible(facts).is_some_and(|visible| visible.is_empty());
    }
    facts.probes.iter().any(|run| {
        let refused = run.fault(Stage::DriverInit).is_some_and(|fault| fault.code == Some(100));
        refused || run.driver().any(|driver| driver.devices == 0)
    })
}

fn gpus(facts: &Facts) -> impl Iterator<Item = &NvmlDevice> {
    facts.probes.iter().flat_map(ProbeRun::nvml_devices).map(AsRef::as_ref)
}

fn variable(facts: &Facts) -> Option<&str> {
    facts.host.environment.get("CUDA_VISIBLE_DEVICES").map(String::as_str)
}

fn with_sights(mut problem: Problem, facts: &Facts) -> Problem {
    if let Some(nvml) = facts.probes.iter().find_map(|run| run.nvml().next()) {
        problem = problem.evidence(format!("NVML sees {} GPUs", nvml.gpus));
    }
    problem
}

fn hides_all(facts: &Facts) -> Outcome {
    let Some(value) = variable(facts).filter(|_| sees_none(facts)) else { return Outcome::Pass };
    // Where there is nothing to hide, hiding is not the matter.
    if gpus(facts).next().is_none() && facts.probes.iter().any(|run| run.nvml().any(|nvml| nvml.gpus == 0)) {
        return Outcome::Pass;
    }
    let first = value.split(',').next().unwrap_or_default().trim();
    if names_one(facts, first) {
        return Outcome::Pass;
    }
    let cause = match first {
        "" | "-1" => format!("CUDA_VISIBLE_DEVICES is '{value}', which names no device."),
        first => format!("CUDA_VISIBLE_DEVICES is '{value}', and there is no device '{first}' here."),
    };
    Some(with_sights(Problem::new(cause).evidence(format!("CUDA_VISIBLE_DEVICES={value}")), facts)).into()
}

/// Whether an entry is a GPU that NVML lists, by number or by UUID, whole or its beginning.
fn names_one(facts: &Facts, entry: &str) -> bool {
    let counted = facts.probes.iter().find_map(|run| run.nvml().next()).map_or(0, |nvml| nvml.gpus);
    let uuids = gpus(facts).filter_map(|gpu| gpu.uuid.known());
    entry.parse::<u32>().is_ok_and(|number| number < counted)
        || entry.starts_with("GPU-") && uuids.into_iter().any(|uuid| uuid.starts_with(entry))
}

fn mig_name(facts: &Facts) -> Outcome {
    let Some(value) = variable(facts).filter(|_| sees_none(facts)) else { return Outcome::Pass };
    let Some(name) = value.split(',').map(str::trim).find(|name| name.starts_with("MIG-")) else {
        return Outcome::Pass;
    };
    let known: Vec<&String> =
        gpus(facts).flat_map(|gpu| &gpu.mig_devices).filter_map(|mig| mig.uuid.known()).collect();
    let cause = if name.contains('/') || name.starts_with("MIG-GPU-") {
        format!("'{name}' is a name of the form before driver 470.")
    } else if known.iter().any(|uuid| uuid.as_str() == name) {
        return Outcome::Pass;
    } else {
        format!("No MIG instance of this container is '{name}'.")
    };
    let problem = Problem::new(cause).evidence(format!("CUDA_VISIBLE_DEVICES={value}"));
    let list = |problem: Problem, uuid: &&String| problem.evidence(format!("here is {uuid}"));
    Some(known.iter().take(8).fold(problem, list)).into()
}

fn mig_empty(facts: &Facts) -> Outcome {
    let mut gpus = gpus(facts).peekable();
    let empty = |gpu: &NvmlDevice| gpu.mig_enabled.known() == Some(&true) && gpu.mig_devices.is_empty();
    // At the level nvml CUDA was not asked, and would have none of these.
    let without_cuda = facts.request.level == Level::Nvml;
    if gpus.peek().is_none() || !(without_cuda || sees_none(facts)) || !gpus.all(empty) {
        return Outcome::Pass;
    }
    Some(Problem::new("Every GPU here is in MIG mode, and NVML lists no instance.")).into()
}

fn absent(facts: &Facts) -> Outcome {
    if facts.request.gpus.is_empty() {
        return Outcome::Skip("--gpus was not given");
    }
    // What hides all hides these.
    if sees_none(facts) {
        return Outcome::Pass;
    }
    let problem = |named: &String| {
        let problem = Problem::new(format!("There is no GPU {named} here."));
        let uuids = gpus(facts).filter_map(|gpu| gpu.uuid.known()).take(16);
        let problem = uuids.fold(problem, |problem, uuid| problem.evidence(format!("here is {uuid}")));
        match variable(facts) {
            Some(value) => problem.evidence(format!("CUDA_VISIBLE_DEVICES={value}")),
            None => problem,
        }
    };
    gpu_selection::absent(facts).into_iter().map(problem).collect::<Vec<_>>().into()
}

fn cut(facts: &Facts) -> Outcome {
    let Some(value) = variable(facts) else { return Outcome::Pass };
    // What follows -1 is meant to be hidden, and of several MIG instances a process uses one in any case.
    let entries = value.split(',').map(str::trim).take_while(|entry| *entry != "-1");
    let entries: Vec<&str> = entries.filter(|entry| !entry.is_empty()).collect();
    if entries.iter().any(|entry| entry.starts_with("MIG-")) {
        return Outcome::Pass;
    }
    let entries = entries.len();
    let listed = facts.probes.iter().find_map(|run| run.driver().next()).map_or(0, |driver| driver.devices);
    if listed == 0 || listed as usize >= entries {
        return Outcome::Pass;
    }
    let cause = format!("It names {entries} devices, and CUDA lists {listed}.");
    Some(with_sights(Problem::new(cause).evidence(format!("CUDA_VISIBLE_DEVICES={value}")), facts)).into()
}

fn mig_one(facts: &Facts) -> Outcome {
    let instances = gpus(facts).map(|gpu| gpu.mig_devices.len()).sum::<usize>();
    let listed = facts.probes.iter().find_map(|run| run.driver().next()).map_or(0, |driver| driver.devices);
    if listed != 1 || instances < 2 {
        return Outcome::Pass;
    }
    Some(Problem::new(format!("NVML lists {instances} MIG instances, CUDA lists 1 device."))).into()
}
