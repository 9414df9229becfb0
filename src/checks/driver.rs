//! The driver library: whether it loads, initializes, and lists devices.

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

pub fn nvml_fault(facts: &Facts) -> Option<&Fault> {
    let survey = facts.probes.first()?;
    survey.fault(Stage::LoadNvml).or(survey.fault(Stage::NvmlInit))
}
