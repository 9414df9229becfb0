//! Finds containers without NVML, at levels at which CUDA is verified.

use crate::checks::driver::nvml_fault;
use crate::checks::shared::faults::phrase;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "driver.nvml",
    severity: Severity::Warning,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "NVML does not work, so GPU health is unknown",
    why: "NVML reports the health of a GPU: ECC, temperature, throttling, free memory. It belongs to the driver \
          capability 'utility'. CUDA works without it, but cudacheck cannot see whether a GPU is busy.",
    remedy: "`docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...`",
    explains: &[],
    codes: &[(Library::Nvml, 12)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.request.level == Level::Nvml {
        return Outcome::Skip("at level nvml, driver.nvml-failed reports it");
    }
    nvml_fault(facts).map(|fault| Problem::new(phrase(fault))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Api;
    use crate::facts::sample::{Sample, not_loaded, of_api};
    use crate::model::Stage;

    #[test]
    fn nvml_that_does_not_load_or_initialize_is_a_warning() {
        let refused = of_api(Api::Nvml, "nvmlInit_v2", 9);
        let init = Sample::machine(1).fault(None, Stage::NvmlInit, refused.clone());
        assert_eq!(judge(&init.facts()).causes(), ["nvmlInit_v2 returned 9 (NVML_ERROR_DRIVER_NOT_LOADED)."]);
        let load = Sample::machine(1).fault(None, Stage::LoadNvml, not_loaded("libnvidia-ml.so.1: not here"));
        assert_eq!(judge(&load.facts()).causes(), ["dlopen failed: libnvidia-ml.so.1: not here."]);
        let one_gpu = Sample::machine(1).fault(None, Stage::NvmlDevice, of_api(Api::Nvml, "call", 15));
        assert!(judge(&one_gpu.facts()).causes().is_empty());
        let nvml_level = Sample::machine(1).level(Level::Nvml).fault(None, Stage::NvmlInit, refused);
        assert!(matches!(judge(&nvml_level.facts()), Outcome::Skip(_)));
    }
}
