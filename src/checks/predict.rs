//! Whether the image will work on machines that are only described (`--on`).

use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::facts::target_machine::TargetMachine;

mod questions;

pub use questions::{About, DriverCuda, answers, requirement_met};

family! {
    gpu_too_new
    gpu_too_old
    closed_module
    open_module
    compat_in_front
    driver_too_old
    requirement
    cuda_dropped
    no_code
    ptx_too_new
    unknown
    ptx_only
    minor_version
    compat
    module_not_said
}

/// Problems of one kind, on all machines.
pub fn found(facts: &Facts, id: &str) -> Outcome {
    if facts.request.machines.is_empty() {
        return Outcome::Skip("no machine was named by --on");
    }
    let on = |machine: &TargetMachine| -> Vec<Problem> {
        let problems = answers(facts, machine).into_iter().flat_map(|answer| answer.problems);
        problems
            .filter(|(kind, _)| *kind == id)
            .map(|(_, problem)| Problem { machine: Some(machine.name.clone()), ..problem })
            .collect()
    };
    facts.request.machines.iter().flat_map(on).collect::<Vec<_>>().into()
}
