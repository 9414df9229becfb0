//! Which of NVML's GPUs a call is about: those that CUDA would show, and of them those that were named.
//!
//! CUDA is asked where it was asked. At the level nvml it was not, and its rules for CUDA_VISIBLE_DEVICES are
//! followed here: entries in order, up to the first that names nothing or something named already. Nothing here
//! judges.

use std::collections::BTreeSet;

use super::Facts;
use super::probe::ProbeRun;
use crate::facts::event::{Device, NvmlDevice};
use crate::model::GpuRef;

/// A GPU of NVML's list under all its names, if this call is about it.
pub fn chosen(facts: &Facts, gpu: &NvmlDevice) -> Option<GpuRef> {
    let known = facts.gpu_of_index(gpu.index);
    if facts.devices().next().is_none() {
        return concerns(facts, gpu.index).then_some(known);
    }
    let device = facts.devices().find(|device| Some(device.ordinal) == known.ordinal)?;
    is_named(facts, device).then_some(known)
}

/// Whether a device of CUDA's list is one that --gpus names; all are where it names none.
pub fn is_named(facts: &Facts, device: &Device) -> bool {
    let names = |named: &String| match named.parse::<u32>() {
        Ok(number) => number == device.ordinal,
        Err(_) => named.get(4..) == Some(device.uuid.as_str()),
    };
    facts.request.gpus.is_empty() || facts.request.gpus.iter().any(names)
}

/// Whether somebody has said which GPUs are meant.
pub fn is_said(facts: &Facts) -> bool {
    !facts.request.gpus.is_empty() || facts.host.environment.contains_key("CUDA_VISIBLE_DEVICES")
}

/// Whether this call is about the GPU of that index of NVML, where CUDA was not asked. Also of one that does
/// not answer any more.
pub fn concerns(facts: &Facts, index: u32) -> bool {
    let Some(visible) = visible(facts) else { return true };
    if facts.request.gpus.is_empty() {
        return visible.contains(&index);
    }
    let named = |named: &String| match named.parse::<usize>() {
        Ok(number) => visible.get(number) == Some(&index),
        Err(_) => {
            visible.contains(&index)
                && gpus(facts).any(|gpu| gpu.index == index && has_uuid(gpu, named, true))
        }
    };
    facts.request.gpus.iter().any(named)
}

/// Entries of --gpus that name no GPU of this container, where that can be told.
pub fn absent(facts: &Facts) -> Vec<&String> {
    let devices = || facts.probes.iter().flat_map(ProbeRun::devices);
    let asked = facts.probes.iter().find_map(|run| run.driver().next()).map(|driver| driver.devices);
    let is_here = |named: &&String| match (named.parse::<u32>(), asked) {
        (Ok(number), Some(devices)) => number < devices,
        (Ok(number), None) => visible(facts).is_none_or(|visible| (number as usize) < visible.len()),
        (Err(_), Some(_)) => devices().any(|device| named.get(4..) == Some(device.uuid.as_str())),
        (Err(_), None) => gpus(facts).any(|gpu| has_uuid(gpu, named, true) && concerns(facts, gpu.index)),
    };
    // Where nothing answered, something else is the matter.
    if asked.is_none() && counted(facts).is_none() {
        return Vec::new();
    }
    facts.request.gpus.iter().filter(|named| !is_here(named)).collect()
}

/// NVML's indices of the GPUs that CUDA would show, in CUDA's order. None: NVML did not answer, or it cannot be
/// told which GPU a number means.
pub fn visible(facts: &Facts) -> Option<Vec<u32>> {
    let all: Vec<u32> = (0..counted(facts)?).collect();
    let Some(value) = facts.host.environment.get("CUDA_VISIBLE_DEVICES") else { return Some(all) };
    let mut visible: Vec<u32> = Vec::new();
    for entry in value.split(',').map(str::trim) {
        let index = match entry.parse::<u32>() {
            // CUDA puts the fastest first unless it is told otherwise; NVML counts by bus.
            Ok(_) if !counts_alike(facts) => return None,
            Ok(number) => all.get(number as usize).copied(),
            Err(_) => {
                // The beginning of a GPU's name is enough where it is one alone; an instance is named whole.
                let whole = !entry.starts_with("GPU-");
                let mut found = gpus(facts).filter(|gpu| has_uuid(gpu, entry, whole));
                found.next().filter(|_| found.next().is_none()).map(|gpu| gpu.index)
            }
        };
        match index {
            Some(index) if !visible.contains(&index) => visible.push(index),
            _ => break,
        }
    }
    Some(visible)
}

fn counted(facts: &Facts) -> Option<u32> {
    facts.probes.iter().find_map(|run| run.nvml().next()).map(|nvml| nvml.gpus)
}

/// GPUs of one kind have one order, and PCI_BUS_ID is NVML's.
fn counts_alike(facts: &Facts) -> bool {
    let by_bus = facts.host.environment.get("CUDA_DEVICE_ORDER").is_some_and(|order| order == "PCI_BUS_ID");
    let names: BTreeSet<&String> = gpus(facts).filter_map(|gpu| gpu.name.known()).collect();
    by_bus || names.len() <= 1
}

fn gpus(facts: &Facts) -> impl Iterator<Item = &NvmlDevice> {
    facts.probes.iter().flat_map(ProbeRun::nvml_devices).map(AsRef::as_ref)
}

/// Of the GPU, or of one of its MIG instances.
fn has_uuid(gpu: &NvmlDevice, wanted: &str, whole: bool) -> bool {
    let uuids =
        gpu.mig_devices.iter().map(|mig| &mig.uuid).chain([&gpu.uuid]).filter_map(|uuid| uuid.known());
    uuids.into_iter().any(|uuid| if whole { uuid == wanted } else { uuid.starts_with(wanted) })
}
