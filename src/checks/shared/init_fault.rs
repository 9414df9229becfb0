//! The first fault of CUDA in a probe: of cuInit or of creating a context.
//!
//! Limits and filters on the container show there first. Faults of other stages are in `faults`.

use crate::checks::shared::faults::phrase;
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::Stage;

/// The probe in which cuInit or the creation of a context failed with this code, and the fault in words.
pub fn init_fault(facts: &Facts, code: i64) -> Option<(&ProbeRun, String)> {
    facts.probes.iter().find_map(|run| {
        let fault = [Stage::DriverInit, Stage::Context].iter().find_map(|stage| run.fault(*stage))?;
        (fault.code == Some(code)).then(|| (run, phrase(fault)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::probe::Target;
    use crate::facts::sample::{Sample, fault};

    #[test]
    fn only_the_stages_that_initialize_cuda_count() {
        let init = Sample::machine(1).fault(None, Stage::DriverInit, fault("cuInit", 304)).facts();
        let (run, phrase) = init_fault(&init, 304).unwrap();
        assert_eq!(run.target, Target::Survey);
        assert!(phrase.starts_with("cuInit returned 304"), "{phrase}");
        assert!(init_fault(&init, 2).is_none());
        let context = Sample::machine(2).fault(Some(1), Stage::Context, fault("cuCtxCreate", 2)).facts();
        assert_eq!(init_fault(&context, 2).unwrap().0.target, Target::Gpu(1));
        let later = Sample::machine(1).fault(Some(0), Stage::Launch, fault("cuLaunchKernel", 2)).facts();
        assert!(init_fault(&later, 2).is_none());
    }
}
