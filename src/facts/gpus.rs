//! Resolves CUDA's ordinals and NVML's indices to GPUs.

use super::Facts;
use super::event::{Device, NvmlDevice};
use super::probe::{self, ProbeRun, Target};
use crate::model::{GpuRef, Stage};

impl Facts {
    /// CUDA's devices.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.probes.iter().flat_map(ProbeRun::devices)
    }

    /// NVML's GPUs.
    pub fn nvml_devices(&self) -> impl Iterator<Item = &NvmlDevice> {
        self.probes.iter().flat_map(ProbeRun::nvml_devices).map(AsRef::as_ref)
    }

    /// The device with an ordinal of CUDA, with all of its identifiers.
    pub fn gpu_of_ordinal(&self, ordinal: u32) -> GpuRef {
        let bare = GpuRef { ordinal: Some(ordinal), ..GpuRef::default() };
        let Some(device) = self.devices().find(|device| device.ordinal == ordinal) else { return bare };
        let Some(gpu) = self.nvml_devices().find(|gpu| probe::is_device(gpu, device)) else {
            // CUDA's UUID has no prefix.
            return GpuRef { uuid: Some(format!("GPU-{}", device.uuid)), ..bare };
        };
        let instance = gpu.mig_devices.iter().filter_map(|mig| mig.uuid.known());
        let instance = instance.into_iter().find(|uuid| probe::is_uuid(uuid, &device.uuid));
        let uuid = instance.or(gpu.uuid.known()).cloned();
        GpuRef { index: Some(gpu.index), mig: instance.is_some(), uuid, ..bare }
    }

    /// The GPU with an index of NVML, with all of its identifiers. With MIG, its ordinal is that of its first instance.
    pub fn gpu_of_index(&self, index: u32) -> GpuRef {
        let bare = GpuRef::of_index(index);
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

    /// The GPU of an event. Its number is an index in the stage that queries NVML, and an ordinal in all others.
    pub fn gpu_of_stage(&self, stage: Stage, number: u32) -> GpuRef {
        match stage {
            Stage::NvmlDevice => self.gpu_of_index(number),
            _ => self.gpu_of_ordinal(number),
        }
    }

    /// The GPU that a probe exercised. None for the survey.
    pub fn gpu_of_run(&self, run: &ProbeRun) -> Option<GpuRef> {
        match run.target {
            Target::Gpu(ordinal) => Some(self.gpu_of_ordinal(ordinal)),
            Target::Survey => None,
        }
    }

    /// Number and product name of a GPU, as far as they are known.
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
    use crate::facts::event::{Event, MigDevice};
    use crate::facts::sample::Sample;
    use crate::model::Field;

    fn uuid(gpu: u32) -> String {
        format!("00000000-0000-0000-0000-{gpu:012}")
    }

    fn gpu(ordinal: u32, index: u32) -> GpuRef {
        let uuid = Some(format!("GPU-{}", uuid(index)));
        GpuRef { ordinal: Some(ordinal), index: Some(index), uuid, mig: false }
    }

    /// GPU 1 of NVML is split into two instances, which CUDA lists as devices 1 and 2.
    fn mig() -> Facts {
        let instance = |index, uuid: &str| MigDevice {
            index,
            uuid: Field::Known(format!("MIG-{uuid}")),
            memory_total: Field::Known(10 << 30),
            memory_free: Field::Known(9 << 30),
        };
        let devices = [instance(0, "aaaa"), instance(3, "bbbb")];
        Sample::machine(3)
            .nvml(1, |gpu| {
                gpu.mig_enabled = Field::Known(true);
                gpu.mig_devices = devices.into();
            })
            .device(1, |device| device.uuid = "aaaa".into())
            .device(2, |device| device.uuid = "bbbb".into())
            .facts()
    }

    #[test]
    fn a_gpu_is_found_by_ordinal_and_by_index() {
        let facts = Sample::machine(2).facts();
        assert_eq!(facts.gpu_of_ordinal(1), gpu(1, 1));
        assert_eq!(facts.gpu_of_index(1), gpu(1, 1));
    }

    #[test]
    fn ordinals_in_another_order_than_indices_are_matched_by_uuid() {
        let facts = Sample::machine(2)
            .device(0, |device| device.uuid = uuid(1))
            .device(1, |device| device.uuid = uuid(0))
            .facts();
        assert_eq!(facts.gpu_of_ordinal(0), gpu(0, 1));
        assert_eq!(facts.gpu_of_ordinal(1), gpu(1, 0));
        assert_eq!(facts.gpu_of_index(0), gpu(1, 0));
    }

    #[test]
    fn the_number_of_an_event_is_an_index_only_in_the_nvml_stage() {
        let facts = Sample::machine(2)
            .device(0, |device| device.uuid = uuid(1))
            .device(1, |device| device.uuid = uuid(0))
            .facts();
        assert_eq!(facts.gpu_of_stage(Stage::NvmlDevice, 0), gpu(1, 0));
        assert_eq!(facts.gpu_of_stage(Stage::Context, 0), gpu(0, 1));
    }

    #[test]
    fn a_gpu_that_only_nvml_lists_has_no_ordinal() {
        let facts = Sample::machine(2)
            .run(None, |run| {
                run.events.retain(|event| !matches!(event, Event::Device(device) if device.ordinal == 1));
            })
            .facts();
        assert_eq!(facts.gpu_of_index(1), GpuRef { ordinal: None, ..gpu(1, 1) });
        assert_eq!(facts.gpu_name(Some(&facts.gpu_of_index(1))), "NVML GPU 1 (NVIDIA H100 80GB HBM3)");
    }

    #[test]
    fn a_gpu_that_only_cuda_lists_has_no_index() {
        let facts = Sample::machine(2)
            .run(None, |run| {
                run.events.retain(|event| !matches!(event, Event::NvmlDevice(device) if device.index == 1));
            })
            .facts();
        assert_eq!(facts.gpu_of_ordinal(1), GpuRef { index: None, ..gpu(1, 1) });
    }

    #[test]
    fn a_gpu_whose_uuid_is_unavailable_is_matched_with_no_device() {
        let unavailable = || Field::Unavailable { unavailable: "GPU is lost".into() };
        let facts = Sample::machine(2).nvml(0, |gpu| gpu.uuid = unavailable()).facts();
        assert_eq!(facts.gpu_of_index(0), GpuRef { index: Some(0), ..GpuRef::default() });
        assert_eq!(facts.gpu_of_ordinal(0), GpuRef { index: None, ..gpu(0, 0) });
    }

    #[test]
    fn mig_instances_have_their_own_uuids_and_the_index_of_their_gpu() {
        let facts = mig();
        let instance = |ordinal, uuid: &str| GpuRef {
            ordinal: Some(ordinal),
            index: Some(1),
            uuid: Some(uuid.into()),
            mig: true,
        };
        assert_eq!(facts.gpu_of_ordinal(1), instance(1, "MIG-aaaa"));
        assert_eq!(facts.gpu_of_ordinal(2), instance(2, "MIG-bbbb"));
        assert_eq!(facts.gpu_of_index(1), gpu(1, 1), "the GPU itself, at the ordinal of its first instance");
        assert_eq!(facts.gpu_of_index(2).ordinal, None, "no device of CUDA");
    }

    #[test]
    fn numbers_that_nothing_lists_are_kept() {
        let facts = Facts::default();
        assert_eq!(facts.gpu_of_ordinal(5), GpuRef { ordinal: Some(5), ..GpuRef::default() });
        assert_eq!(facts.gpu_of_index(5), GpuRef { index: Some(5), ..GpuRef::default() });
    }

    #[test]
    fn the_gpu_of_a_probe_is_its_device() {
        let facts = Sample::machine(2).facts();
        let gpus: Vec<_> = facts.probes.iter().map(|run| facts.gpu_of_run(run)).collect();
        assert_eq!(gpus, [None, Some(gpu(0, 0)), Some(gpu(1, 1))]);
    }

    #[test]
    fn names_fall_back_to_the_number() {
        let facts = Sample::machine(1).facts();
        assert_eq!(facts.gpu_name(Some(&gpu(0, 0))), "GPU 0 (NVIDIA H100 80GB HBM3)");
        assert_eq!(Facts::default().gpu_name(Some(&gpu(0, 0))), "GPU 0");
        assert_eq!(facts.gpu_name(None), "The GPU");
    }

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
