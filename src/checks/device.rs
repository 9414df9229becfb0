//! One GPU: its context, its SMs, its health.

use crate::checks::shared::faults::{faults, phrase};
use crate::checks::{Outcome, Problem};
use crate::facts::event::{Fault, NvmlDevice};
use crate::facts::probe::ProbeRun;
use crate::facts::{Facts, gpu_selection};
use crate::model::{Level, Stage};

family! {
    mig_one
    wrong_results
    context
    jit
    jit_compiler
    ptx_too_new
    launch
    row_remap
    fabric
    unseen
    ecc
    reset_pending
    throttled
    pcie
    memory_unaccounted
    busy
}

pub fn of_stage(facts: &Facts, stage: Stage, counts: impl Fn(&Fault) -> bool) -> Outcome {
    let problem = |(run, fault)| {
        let gpu = facts.gpu_of_run(run);
        Problem::new(format!("{}: {}", facts.gpu_name(gpu.as_ref()), phrase(fault))).gpu(gpu)
    };
    faults(facts, stage).filter(|(_, fault)| counts(fault)).map(problem).collect::<Vec<_>>().into()
}

/// No context was to be created, so that NVML alone says what keeps one away.
pub fn is_shallow(facts: &Facts) -> bool {
    matches!(facts.request.level, Level::Nvml | Level::Driver)
}

/// A judgement on what NVML says of each GPU.
pub fn health(facts: &Facts, judge: impl Fn(&NvmlDevice) -> Option<String>) -> Outcome {
    let devices: Vec<&NvmlDevice> =
        facts.probes.iter().flat_map(ProbeRun::nvml_devices).map(AsRef::as_ref).collect();
    if devices.is_empty() {
        return Outcome::Skip("NVML told of no GPU");
    }
    let problem = |device: &NvmlDevice| {
        // A GPU that is hidden from CUDA, or was not chosen, is not this container's concern.
        let gpu = gpu_selection::chosen(facts, device)?;
        judge(device)
            .map(|cause| Problem::new(format!("{}: {cause}", facts.gpu_name(Some(&gpu)))).gpu(Some(gpu)))
    };
    devices.into_iter().filter_map(problem).collect::<Vec<_>>().into()
}
