//! The driver's libraries: whether they load, initialize, and list GPUs.

use crate::facts::Facts;
use crate::facts::event::Fault;
use crate::model::Stage;

family! {
    load
    init
    no_devices
    call
    gpu_lost
    nvml
    nvml_failed
    too_few
}

/// Why NVML as a whole does not work.
pub fn nvml_fault(facts: &Facts) -> Option<&Fault> {
    let survey = facts.probes.first()?;
    survey.fault(Stage::LoadNvml).or(survey.fault(Stage::NvmlInit))
}
