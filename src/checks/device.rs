//! Checks of one GPU: its context, SMs, memory, clocks and links.

use crate::checks::shared::faults::{faults, phrase};
use crate::checks::{Outcome, Problem};
use crate::facts::event::{Fault, NvmlDevice};
use crate::facts::{Facts, gpu_selection};
use crate::model::Stage;

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
    memory_temperature
    pcie
    memory_unaccounted
    busy
}

/// The faults of one stage that count, one problem per GPU.
pub fn stage_failures(facts: &Facts, stage: Stage, counts: impl Fn(&Fault) -> bool) -> Outcome {
    let problem = |(run, fault)| {
        let gpu = facts.gpu_of_run(run);
        Problem::new(format!("{}: {}", facts.gpu_name(gpu.as_ref()), phrase(fault))).gpu(gpu)
    };
    faults(facts, stage).filter(|(_, fault)| counts(fault)).map(problem).collect::<Vec<_>>().into()
}

/// Judges what NVML reports of each GPU that this container uses.
pub fn each_gpu(facts: &Facts, judge: impl Fn(&NvmlDevice) -> Option<String>) -> Outcome {
    if facts.nvml_devices().next().is_none() {
        return Outcome::Skip("NVML reported no GPU");
    }
    let problem = |device: &NvmlDevice| {
        // A GPU that is hidden from CUDA or was not selected does not concern this container.
        let gpu = gpu_selection::chosen(facts, device)?;
        judge(device)
            .map(|cause| Problem::new(format!("{}: {cause}", facts.gpu_name(Some(&gpu)))).gpu(Some(gpu)))
    };
    facts.nvml_devices().filter_map(problem).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::{Event, Smoke};
    use crate::facts::sample::Sample;
    use crate::model::Level;

    /// Two GPUs, the second with another result of the smoke kernel.
    pub fn with_smoke(change: impl FnOnce(&mut Smoke)) -> Facts {
        let sample = Sample::machine(2).run(Some(1), |run| {
            let smoke = run.events.iter_mut().find_map(|event| match event {
                Event::Smoke(smoke) => Some(smoke),
                _ => None,
            });
            change(smoke.expect("the kernel ran"));
        });
        sample.facts()
    }

    #[test]
    fn only_the_gpus_that_this_container_uses_are_judged() {
        let gpus = |sample: Sample| {
            let outcome = each_gpu(&sample.facts(), |gpu| Some(format!("index {}.", gpu.index)));
            outcome.problems().iter().map(|problem| problem.gpu.clone()?.index).collect::<Vec<_>>()
        };
        let machine = || Sample::machine(3).level(Level::Nvml);
        assert_eq!(gpus(machine()), [Some(0), Some(1), Some(2)]);
        assert_eq!(gpus(machine().env("CUDA_VISIBLE_DEVICES", "1")), [Some(1)]);
        assert_eq!(gpus(machine().with(|facts| facts.request.gpus = vec!["2".into()])), [Some(2)]);
        assert!(matches!(each_gpu(&Sample::image().facts(), |_| None), Outcome::Skip(_)));
    }
}
