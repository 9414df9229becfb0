//! Whether the image works on described machines (`--on`).

use crate::checks::{Answered, MachineAnswers, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::target_machine::TargetMachine;
use crate::model::Question;

mod questions;

use questions::asked::Asked;

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
    module_unspecified
    tables_old
}

/// The answers for each machine, in the order of the table.
pub fn answers(facts: &Facts) -> Vec<MachineAnswers> {
    let of_machine = |machine: &TargetMachine| {
        let asked = Asked::new(facts, machine);
        let answer = |question, words| Answered { question, words, checks: Vec::new() };
        MachineAnswers {
            machine: machine.clone(),
            cuda: asked.driver.text(),
            answers: vec![
                answer(Question::Code, questions::code::ask(&asked).to_string()),
                answer(Question::Cuda, questions::cuda::ask(&asked).to_string()),
                answer(Question::Gpu, questions::gpu::ask(&asked).to_string()),
                answer(Question::Module, questions::module::ask(machine).to_string()),
                answer(Question::Requirement, questions::requirement::ask(&asked).to_string()),
            ],
        }
    };
    facts.request.machines.iter().map(of_machine).collect()
}

/// Whether a machine meets a requirement of the image, such as `cuda>=12.8`; None if unknown.
pub fn requirement_met(text: &str, machine: &TargetMachine) -> Option<bool> {
    questions::require::met(text, machine)
}

/// What one question finds, on all machines.
fn each(facts: &Facts, question: Question, find: impl Fn(&Asked) -> Option<Problem>) -> Outcome {
    on_machines(facts, |asked| find(asked).map(|problem| (question, problem)).into_iter().collect())
}

fn on_machines(facts: &Facts, find: impl Fn(&Asked) -> Vec<(Question, Problem)>) -> Outcome {
    if facts.request.machines.is_empty() {
        return Outcome::Skip("no machine was described with --on");
    }
    let on = |machine: &TargetMachine| -> Vec<Problem> {
        let found = find(&Asked::new(facts, machine)).into_iter();
        let of = |(question, problem)| Problem {
            machine: Some(machine.name.clone()),
            question: Some(question),
            ..problem
        };
        found.map(of).collect()
    };
    facts.request.machines.iter().flat_map(on).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
