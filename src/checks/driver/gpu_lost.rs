//! A GPU does not answer.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::faults::phrase;
use crate::codes::Family;
use crate::facts::{Facts, gpu_selection};
use crate::facts::event::{Device, Event, Outcome as StageOutcome};
use crate::facts::probe::ProbeRun;
use crate::model::{Fix, GpuRef, Owner, Severity, Stage};

/// NVML's status for a GPU that this process may not use.
const NO_PERMISSION: i64 = 4;

pub const CHECK: Check = Check {
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
    judge,
};

fn judge(facts: &Facts) -> Outcome {
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
            if (fault.code != Some(NO_PERMISSION) || gpu_selection::is_explicit(facts)) && gpu.is_none_or(concerns) =>
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
