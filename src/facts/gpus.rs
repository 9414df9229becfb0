//! Which GPU a number of CUDA's or of NVML's means.

use super::Facts;
use super::event::{Device, NvmlDevice};
use super::probe::{self, ProbeRun, Target};
use crate::model::{GpuRef, Stage};

impl Facts {
    /// Devices as CUDA lists them.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.probes.iter().flat_map(ProbeRun::devices)
    }

    /// GPUs as NVML lists them.
    pub fn nvml_devices(&self) -> impl Iterator<Item = &NvmlDevice> {
        self.probes.iter().flat_map(ProbeRun::nvml_devices).map(AsRef::as_ref)
    }

    /// CUDA's device of that ordinal, under all its names.
    pub fn gpu_of_ordinal(&self, ordinal: u32) -> GpuRef {
        let bare = GpuRef { ordinal: Some(ordinal), ..GpuRef::default() };
        let Some(device) = self.devices().find(|device| device.ordinal == ordinal) else { return bare };
        let Some(gpu) = self.nvml_devices().find(|gpu| probe::is_device(gpu, device)) else {
            // The driver gives bare bytes; the prefix is NVML's to know.
            return GpuRef { uuid: Some(format!("GPU-{}", device.uuid)), ..bare };
        };
        let instance = gpu.mig_devices.iter().filter_map(|mig| mig.uuid.known());
        let instance = instance.into_iter().find(|uuid| uuid.ends_with(&device.uuid));
        let uuid = instance.or(gpu.uuid.known()).cloned();
        GpuRef { index: Some(gpu.index), mig: instance.is_some(), uuid, ..bare }
    }

    /// NVML's GPU of that index, under all its names. Its ordinal is that of the first device of CUDA's that it is
    /// or holds.
    pub fn gpu_of_index(&self, index: u32) -> GpuRef {
        let bare = GpuRef { index: Some(index), ..GpuRef::default() };
        let Some(gpu) = self.nvml_devices().find(|gpu| gpu.index == index) else {
            let device = self.device_by_elimination(index);
            return device
                .map_or(bare, |device| GpuRef { index: Some(index), ..self.gpu_of_ordinal(device.ordinal) });
        };
        let device = self.devices().find(|device| probe::is_device(gpu, device));
        GpuRef { ordinal: device.map(|device| device.ordinal), uuid: gpu.uuid.known().cloned(), ..bare }
    }

    /// The CUDA device of an index that NVML counts and does not describe, such as one whose query hung: the only
    /// device that NVML does not describe, if all other indices are described.
    fn device_by_elimination(&self, index: u32) -> Option<&Device> {
        let counted = self.probes.iter().flat_map(ProbeRun::nvml).map(|system| system.gpus).max()?;
        let mut indices = (0..counted).filter(|index| self.nvml_devices().all(|gpu| gpu.index != *index));
        let is_unknown = |device: &&Device| !self.nvml_devices().any(|gpu| probe::is_device(gpu, device));
        let mut devices = self.devices().filter(is_unknown);
        let is_only = indices.next() == Some(index) && indices.next().is_none();
        let device = devices.next().filter(|_| is_only)?;
        devices.all(|other| other.ordinal == device.ordinal).then_some(device)
    }

    /// The GPU of an event: the stage that queries NVML counts as NVML does, all others as CUDA does.
    pub fn gpu_of_stage(&self, stage: Stage, number: u32) -> GpuRef {
        match stage {
            Stage::NvmlDevice => self.gpu_of_index(number),
            _ => self.gpu_of_ordinal(number),
        }
    }

    /// The GPU that a probe exercised; none for the survey.
    pub fn gpu_of_run(&self, run: &ProbeRun) -> Option<GpuRef> {
        match run.target {
            Target::Gpu(ordinal) => Some(self.gpu_of_ordinal(ordinal)),
            Target::Survey => None,
        }
    }

    /// A GPU as people know it: its number and its name, as far as the survey learned them.
    pub fn gpu_name(&self, gpu: Option<&GpuRef>) -> String {
        let Some(gpu) = gpu else { return "The GPU".to_owned() };
        let device = self.devices().find(|device| Some(device.ordinal) == gpu.ordinal);
        let of_nvml = || self.nvml_devices().find(|known| Some(known.index) == gpu.index);
        let name = device.map(|device| &device.name).or_else(|| of_nvml()?.name.known());
        name.map_or_else(|| gpu.to_string(), |name| format!("{gpu} ({name})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Event;
    use crate::facts::sample::Sample;

    fn without_nvml(indices: &'static [u32]) -> Facts {
        Sample::machine(3)
            .run(None, |run| {
                let goes =
                    |event: &Event| matches!(event, Event::NvmlDevice(gpu) if indices.contains(&gpu.index));
                run.events.retain(|event| !goes(event));
            })
            .facts()
    }

    #[test]
    fn the_only_index_that_nvml_does_not_describe_is_the_only_device_left() {
        let facts = without_nvml(&[1]);
        let gpu = facts.gpu_of_index(1);
        assert_eq!((gpu.ordinal, gpu.index, gpu.uuid.is_some()), (Some(1), Some(1), true));
        assert!(gpu.is_same(&facts.gpu_of_ordinal(1)));
        assert_eq!(facts.gpu_of_index(7).ordinal, None, "NVML does not count it");
    }

    #[test]
    fn of_two_indices_neither_is_guessed() {
        let facts = without_nvml(&[1, 2]);
        assert_eq!((facts.gpu_of_index(1).ordinal, facts.gpu_of_index(2).ordinal), (None, None));
    }
}
