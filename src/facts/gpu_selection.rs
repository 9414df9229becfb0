//! Which GPUs to verify: those that CUDA would list, restricted to those that --gpus names.
//!
//! If CUDA listed its devices, that is the answer. At level nvml it was not queried, and this module applies its rules
//! for CUDA_VISIBLE_DEVICES to NVML's list: entries count in order, up to the first that is invalid or a duplicate.

use std::collections::BTreeSet;

use super::Facts;
use super::probe::{self, ProbeRun};
use crate::facts::event::{Device, NvmlDevice};
use crate::model::{GpuRef, GpuSelector};

/// A reference to one of NVML's GPUs, if it is selected.
pub fn chosen(facts: &Facts, gpu: &NvmlDevice) -> Option<GpuRef> {
    let known = facts.gpu_of_index(gpu.index);
    if facts.devices().next().is_none() {
        return concerns(facts, gpu.index).then_some(known);
    }
    // With MIG, any of its instances may be the selected one.
    let selected = |device: &&Device| probe::is_device(gpu, device) && is_named(facts, device);
    let ordinal = facts.devices().find(selected)?.ordinal;
    Some(GpuRef { ordinal: Some(ordinal), ..known })
}

/// Whether --gpus names one of CUDA's devices. Without --gpus, all are selected.
pub fn is_named(facts: &Facts, device: &Device) -> bool {
    let named = &facts.request.gpus;
    named.is_empty() || named.iter().any(|named| named.names(device.ordinal, &device.uuid))
}

/// Whether --gpus or CUDA_VISIBLE_DEVICES selects GPUs.
pub fn is_explicit(facts: &Facts) -> bool {
    !facts.request.gpus.is_empty() || facts.host.environment.contains_key("CUDA_VISIBLE_DEVICES")
}

/// Whether the GPU with an index of NVML is selected, if CUDA was not queried. The GPU may be lost.
pub fn concerns(facts: &Facts, index: u32) -> bool {
    let Some(visible) = visible(facts) else { return true };
    if facts.request.gpus.is_empty() {
        return visible.contains(&index);
    }
    let named = |named: &GpuSelector| match named {
        GpuSelector::Ordinal(number) => visible.get(*number as usize) == Some(&index),
        GpuSelector::Uuid(uuid) => {
            visible.contains(&index) && gpus(facts).any(|gpu| gpu.index == index && has_uuid(gpu, uuid, true))
        }
    };
    facts.request.gpus.iter().any(named)
}

/// Entries of --gpus that match no GPU of this container, as far as that is known.
pub fn absent(facts: &Facts) -> Vec<&GpuSelector> {
    let devices = || facts.probes.iter().flat_map(ProbeRun::devices);
    let listed = facts.probes.iter().find_map(|run| run.driver().next()).map(|driver| driver.devices);
    let is_here = |named: &&GpuSelector| match (named, listed) {
        (GpuSelector::Ordinal(number), Some(devices)) => *number < devices,
        (GpuSelector::Ordinal(number), None) => {
            visible(facts).is_none_or(|visible| (*number as usize) < visible.len())
        }
        (named @ GpuSelector::Uuid(_), Some(_)) => {
            devices().any(|device| named.names(device.ordinal, &device.uuid))
        }
        (GpuSelector::Uuid(uuid), None) => {
            gpus(facts).any(|gpu| has_uuid(gpu, uuid, true) && concerns(facts, gpu.index))
        }
    };
    // Without any list of GPUs, the cause is something else.
    if listed.is_none() && gpu_count(facts).is_none() {
        return Vec::new();
    }
    facts.request.gpus.iter().filter(|named| !is_here(named)).collect()
}

/// NVML's indices of the GPUs that CUDA would list, in CUDA's order. None if NVML did not answer, or if the numbers in
/// CUDA_VISIBLE_DEVICES are ambiguous.
pub fn visible(facts: &Facts) -> Option<Vec<u32>> {
    let all: Vec<u32> = (0..gpu_count(facts)?).collect();
    let Some(value) = facts.host.environment.get("CUDA_VISIBLE_DEVICES") else { return Some(all) };
    let mut visible: Vec<u32> = Vec::new();
    for entry in value.split(',').map(str::trim) {
        let index = match entry.parse::<u32>() {
            Ok(_) if !same_order(facts) => return None,
            Ok(number) => all.get(number as usize).copied(),
            Err(_) => {
                // A prefix of a GPU's UUID is enough if it is unique. A MIG instance requires the full UUID.
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

/// The number of GPUs, as reported by NVML.
fn gpu_count(facts: &Facts) -> Option<u32> {
    facts.probes.iter().find_map(|run| run.nvml().next()).map(|nvml| nvml.gpus)
}

/// Whether CUDA and NVML number GPUs alike. CUDA lists the fastest GPU first unless CUDA_DEVICE_ORDER is PCI_BUS_ID,
/// which is NVML's order; identical GPUs are always in that order.
fn same_order(facts: &Facts) -> bool {
    let by_bus = facts.host.environment.get("CUDA_DEVICE_ORDER").is_some_and(|order| order == "PCI_BUS_ID");
    let names: BTreeSet<&String> = gpus(facts).filter_map(|gpu| gpu.name.known()).collect();
    by_bus || names.len() <= 1
}

fn gpus(facts: &Facts) -> impl Iterator<Item = &NvmlDevice> {
    facts.probes.iter().flat_map(ProbeRun::nvml_devices).map(AsRef::as_ref)
}

/// Whether a GPU or one of its MIG instances has this UUID, or one that starts with it.
fn has_uuid(gpu: &NvmlDevice, wanted: &str, whole: bool) -> bool {
    let uuids =
        gpu.mig_devices.iter().map(|mig| &mig.uuid).chain([&gpu.uuid]).filter_map(|uuid| uuid.known());
    uuids.into_iter().any(|uuid| if whole { uuid == wanted } else { uuid.starts_with(wanted) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::MigDevice;
    use crate::facts::sample::Sample;
    use crate::model::{Field, Level};

    /// Four GPUs at level nvml, and CUDA_VISIBLE_DEVICES.
    fn with(visible: &str) -> Sample {
        Sample::machine(4).level(Level::Nvml).env("CUDA_VISIBLE_DEVICES", visible)
    }

    fn indices(sample: Sample) -> Option<Vec<u32>> {
        visible(&sample.facts())
    }

    fn named(sample: Sample, gpus: &[&str]) -> Facts {
        sample
            .with(|facts| facts.request.gpus = gpus.iter().map(|gpu| GpuSelector::from(*gpu)).collect())
            .facts()
    }

    /// NVML's indices of the selected GPUs.
    fn selected(facts: &Facts) -> Vec<u32> {
        facts.nvml_devices().filter(|gpu| chosen(facts, gpu).is_some()).map(|gpu| gpu.index).collect()
    }

    fn add_instance(gpu: &mut NvmlDevice) {
        gpu.mig_devices.push(MigDevice {
            index: 0,
            uuid: Field::Known("MIG-abcd".into()),
            memory_total: Field::Known(10 << 30),
            memory_free: Field::Known(9 << 30),
        });
    }

    #[test]
    fn without_the_variable_all_gpus_are_visible() {
        assert_eq!(indices(Sample::machine(2).level(Level::Nvml)), Some(vec![0, 1]));
        assert_eq!(visible(&Facts::default()), None, "NVML did not answer");
    }

    #[test]
    fn numbers_are_indices_in_their_order() {
        assert_eq!(indices(with("2,0")), Some(vec![2, 0]));
        assert_eq!(indices(with(" 1 , 3 ")), Some(vec![1, 3]));
    }

    #[test]
    fn entries_count_up_to_the_first_that_is_invalid_or_a_duplicate() {
        for (value, expected) in [
            ("", vec![]),
            ("-1", vec![]),
            ("NoDevFiles", vec![]),
            ("0,9,1", vec![0]),
            ("0,1,0,2", vec![0, 1]),
            ("3,none,1", vec![3]),
        ] {
            assert_eq!(indices(with(value)), Some(expected), "{value}");
        }
    }

    #[test]
    fn a_prefix_of_a_uuid_selects_a_gpu_if_it_is_unique() {
        assert_eq!(indices(with("GPU-00000000-0000-0000-0000-000000000002")), Some(vec![2]));
        assert_eq!(indices(with("GPU-0000")), Some(vec![]), "four GPUs have it");
        let distinct = with("GPU-7f,GPU-3e").nvml(3, |gpu| gpu.uuid = Field::Known("GPU-7f31".into()));
        let distinct = distinct.nvml(1, |gpu| gpu.uuid = Field::Known("GPU-3e02".into()));
        assert_eq!(indices(distinct), Some(vec![3, 1]));
    }

    #[test]
    fn a_mig_instance_requires_its_full_uuid() {
        assert_eq!(indices(with("MIG-abcd").nvml(2, add_instance)), Some(vec![2]));
        assert_eq!(indices(with("MIG-ab").nvml(2, add_instance)), Some(vec![]));
    }

    #[test]
    fn numbers_are_ambiguous_among_different_gpus_unless_in_bus_order() {
        let mixed = |visible: &str| with(visible).nvml(0, |gpu| gpu.name = Field::Known("NVIDIA T4".into()));
        assert_eq!(indices(mixed("1")), None);
        assert_eq!(indices(mixed("1").env("CUDA_DEVICE_ORDER", "PCI_BUS_ID")), Some(vec![1]));
        assert_eq!(indices(mixed("1").env("CUDA_DEVICE_ORDER", "FASTEST_FIRST")), None);
        assert_eq!(indices(mixed("GPU-00000000-0000-0000-0000-000000000001")), Some(vec![1]));
    }

    #[test]
    fn gpus_that_are_named_count_among_the_visible_ones() {
        assert_eq!(selected(&with("2,0").facts()), [0, 2]);
        assert_eq!(selected(&named(with("2,0"), &["0"])), [2], "CUDA's device 0");
        assert_eq!(selected(&named(with("2,0"), &["GPU-00000000-0000-0000-0000-000000000000"])), [0]);
        assert_eq!(selected(&named(with("2,0"), &["GPU-00000000-0000-0000-0000-000000000001"])), [0; 0]);
        assert_eq!(selected(&named(with("2"), &["MIG-abcd"])), [0; 0]);
        assert_eq!(selected(&named(with("2").nvml(2, add_instance), &["MIG-abcd"])), [2]);
    }

    #[test]
    fn the_list_of_cuda_decides_if_there_is_one() {
        let swap = |sample: Sample| {
            let uuid = |gpu: u32| format!("00000000-0000-0000-0000-{gpu:012}");
            sample
                .device(0, |device| device.uuid = uuid(1))
                .device(1, |device| device.uuid = uuid(0))
                // Without meaning, because CUDA has applied it.
                .env("CUDA_VISIBLE_DEVICES", "0")
        };
        assert_eq!(selected(&swap(Sample::machine(2)).facts()), [0, 1]);
        let facts = named(swap(Sample::machine(2)), &["0"]);
        assert_eq!(selected(&facts), [1], "ordinal 0 is index 1");
        let device = facts.devices().find(|device| is_named(&facts, device)).map(|device| device.ordinal);
        assert_eq!(device, Some(0));
    }

    #[test]
    fn named_gpus_that_do_not_exist_are_absent() {
        let gpus = ["1", "7", "GPU-00000000-0000-0000-0000-000000000001", "GPU-ffff", "MIG-abcd"];
        let absent = |sample: Sample| {
            absent(&named(sample, &gpus)).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(absent(Sample::machine(2)), ["7", "GPU-ffff", "MIG-abcd"]);
        assert_eq!(absent(Sample::machine(2).level(Level::Nvml)), ["7", "GPU-ffff", "MIG-abcd"]);
        assert_eq!(absent(with("2").nvml(2, add_instance)), [gpus[0], gpus[1], gpus[2], gpus[3]]);
        assert_eq!(absent(Sample::image()), [""; 0], "no list of GPUs");
    }

    #[test]
    fn a_selection_is_explicit_by_flag_or_variable() {
        assert!(!is_explicit(&Sample::machine(1).facts()));
        assert!(is_explicit(&with("0").facts()));
        assert!(is_explicit(&named(Sample::machine(1), &["0"])));
    }

    #[test]
    fn a_lost_gpu_is_selected_by_its_index() {
        let lost = |sample: Sample| {
            sample.run(None, |run| {
                run.events.retain(
                    |event| !matches!(event, crate::facts::event::Event::NvmlDevice(gpu) if gpu.index == 3),
                )
            })
        };
        assert!(concerns(&lost(with("3")).facts(), 3));
        assert!(!concerns(&lost(with("0,1")).facts(), 3));
        assert!(concerns(&lost(Sample::machine(4).level(Level::Nvml)).facts(), 3));
    }
}
