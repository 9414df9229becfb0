//! Finds GPUs that NVML counts but cannot open.

use crate::checks::shared::faults::phrase;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::event::{Device, Event, Outcome as StageOutcome};
use crate::facts::{Facts, gpu_selection};
use crate::model::{Fix, GpuRef, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "driver.gpu-lost",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A GPU does not respond to NVML",
    why: "NVML counts the GPU but cannot open it. Error 15 means that the GPU fell off the bus, 16 that it needs a \
          reset.",
    remedy: "Drain the node, then reset the GPU or power-cycle the machine; `dmesg | grep -i xid` on the host shows \
             why the GPU was lost",
    explains: &[],
    codes: &[(Library::Nvml, 15), (Library::Nvml, 16)],
    judge,
};

/// NVML_ERROR_NO_PERMISSION.
const NO_PERMISSION: i64 = 4;

fn judge(facts: &Facts) -> Outcome {
    // A GPU that does not respond has no UUID to match. If NVML and CUDA count the same number of GPUs, their numbers
    // are assumed to mean the same GPUs.
    let nvml = facts.probes.iter().find_map(|run| run.nvml().next()).map_or(0, |nvml| nvml.gpus);
    let cuda = facts.probes.iter().find_map(|run| run.driver().next()).map(|driver| driver.devices);
    let same_numbers = cuda == Some(nvml);
    let concerns = |index: u32| {
        let is_listed = |device: &Device| device.ordinal == index && gpu_selection::is_named(facts, device);
        gpu_selection::concerns(facts, index) || same_numbers && facts.devices().any(is_listed)
    };
    let gpu_of_index = |index| match same_numbers {
        true => GpuRef { ordinal: Some(index), ..facts.gpu_of_index(index) },
        false => facts.gpu_of_index(index),
    };
    let lost = facts.probes.iter().flat_map(|run| &run.events).filter_map(|event| match event {
        Event::Left { stage: Stage::NvmlDevice, gpu, outcome: StageOutcome::Failed(fault), .. } => {
            // NVML also counts GPUs of other containers, and denies access to them.
            let of_others = fault.code == Some(NO_PERMISSION) && !gpu_selection::is_explicit(facts);
            (!of_others && gpu.is_none_or(concerns)).then(|| {
                // By the number that NVML gave it, even if another is likely.
                let name =
                    gpu.map_or_else(|| "A GPU".to_owned(), |index| GpuRef::of_index(index).to_string());
                Problem::new(format!("{name}: {}", phrase(fault))).gpu(gpu.map(gpu_of_index))
            })
        }
        _ => None,
    });
    lost.collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Api;
    use crate::facts::sample::{Sample, of_api};
    use crate::model::Level;

    /// One GPU of two returns this code; CUDA lists this many devices.
    fn machine(code: i64, devices: u32) -> Sample {
        Sample::machine(2)
            .run(None, |run| {
                run.events.retain(|event| match event {
                    Event::NvmlDevice(gpu) => gpu.index != 1,
                    Event::Device(device) => device.ordinal < devices,
                    _ => true,
                });
                run.events.iter_mut().for_each(|event| {
                    if let Event::Driver(driver) = event {
                        driver.devices = devices;
                    }
                });
            })
            .event(
                None,
                Event::Left {
                    stage: Stage::NvmlDevice,
                    gpu: Some(1),
                    seconds: 0.0,
                    outcome: StageOutcome::Failed(of_api(Api::Nvml, "nvmlDeviceGetHandleByIndex_v2", code)),
                },
            )
    }

    #[test]
    fn a_lost_gpu_is_named_by_its_nvml_index() {
        let problems = |devices| judge(&machine(15, devices).facts()).problems();
        let lost = problems(2);
        assert_eq!(lost.len(), 1);
        assert_eq!(
            lost[0].cause,
            "NVML GPU 1: nvmlDeviceGetHandleByIndex_v2 returned 15 (NVML_ERROR_GPU_IS_LOST)."
        );
        let numbers = |problem: &Problem| problem.gpu.as_ref().map(|gpu| (gpu.ordinal, gpu.index));
        assert_eq!(numbers(&lost[0]), Some((Some(1), Some(1))));
        // CUDA lists one device less: which number it has there is unknown.
        assert_eq!(numbers(&problems(1)[0]), Some((None, Some(1))));
    }

    #[test]
    fn a_gpu_of_another_container_is_not_lost() {
        let causes = |sample: Sample| judge(&sample.facts()).causes();
        assert!(causes(machine(4, 1)).is_empty());
        assert_eq!(causes(machine(4, 2).env("CUDA_VISIBLE_DEVICES", "1")).len(), 1, "it was selected");
    }

    #[test]
    fn a_gpu_that_was_not_selected_may_be_lost() {
        let causes = |gpu: &str| {
            let sample =
                machine(15, 2).level(Level::Nvml).with(|facts| facts.request.gpus = vec![gpu.into()]);
            judge(&sample.facts()).causes()
        };
        assert_eq!(causes("1").len(), 1);
        assert!(causes("0").is_empty());
    }
}
