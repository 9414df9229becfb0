//! Whether the image works on described machines (`--on`).

use crate::checks::{Answered, MachineAnswers, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::target_machine::TargetMachine;
use crate::facts::target_machine::known::DriverCuda;
use crate::model::Question;

mod builds;
pub(in crate::checks) mod questions;

use questions::asked::Asked;

pub use questions::gate::admitted;

family! {
    gpu_too_new
    gpu_too_old
    closed_module
    open_module
    compat_in_front
    driver_too_old
    requirement
    cuda_dropped
    missing_library
    no_code
    ptx_too_new
    zstd_fatbin
    unknown
    image_unknown
    ptx_only
    part_without_code
    minor_version
    compat
    module_unspecified
    tables_old
}

/// The answers for each machine, in the order of the table.
pub fn answers(facts: &Facts) -> Vec<MachineAnswers> {
    let of_machine = |machine: &TargetMachine| {
        let answer = |question| {
            let asked = Asked::all(facts, machine, question);
            let answers = asked.iter().map(|asked| (one(asked, question), asked));
            // Of equal answers, that of the largest installation, which is the first.
            let worst = answers.rev().max_by_key(|((rank, _), _)| *rank);
            let (words, decides) = worst.map(|((_, words), asked)| (words, asked.names())).unzip();
            Answered {
                question,
                words: words.unwrap_or_default(),
                frameworks: if asked.len() > 1 { decides.unwrap_or_default() } else { Vec::new() },
                checks: Vec::new(),
            }
        };
        MachineAnswers {
            machine: machine.clone(),
            cuda: DriverCuda::of(machine).text(),
            answers: Question::ALL.map(answer).into(),
        }
    };
    facts.request.machines.iter().map(of_machine).collect()
}

/// How bad the answer is, among the answers of one question, and its words.
fn one(asked: &Asked, question: Question) -> (u32, String) {
    match question {
        Question::Code => {
            let answer = questions::code::ask(asked);
            (answer.rank(), answer.to_string())
        }
        Question::Cuda => {
            let answer = questions::cuda::ask(asked);
            (answer.rank(), answer.to_string())
        }
        Question::Libraries => {
            let answer = questions::libraries::ask(asked);
            (answer.rank(), answer.to_string())
        }
        // Asked once for each machine.
        Question::Gpu => (0, questions::gpu::ask(asked).to_string()),
        Question::Module => (0, questions::module::ask(asked.machine).to_string()),
        Question::Requirement => (0, questions::requirement::ask(asked).to_string()),
    }
}

/// Whether a machine meets a requirement of the image, such as `cuda>=12.8`; None if unknown.
pub fn requirement_met(text: &str, machine: &TargetMachine) -> Option<bool> {
    questions::require::met(text, machine)
}

/// What one question finds, on all machines.
fn each(facts: &Facts, question: Question, find: fn(&Asked) -> Option<Problem>) -> Outcome {
    on_machines(facts, &[(question, find)])
}

/// A question, and what is wrong with its answer.
type Finder = (Question, fn(&Asked) -> Option<Problem>);

/// What some questions find, on all machines and about all installations.
fn on_machines(facts: &Facts, finders: &[Finder]) -> Outcome {
    if facts.request.machines.is_empty() {
        return Outcome::Skip("no machine was described with --on");
    }
    let mut problems = Vec::new();
    for machine in &facts.request.machines {
        for (question, find) in finders {
            for problem in Asked::all(facts, machine, *question).iter().filter_map(find) {
                let (machine, question) = (Some(machine.name.clone()), Some(*question));
                Problem::merge(&mut problems, Problem { machine, question, ..problem });
            }
        }
    }
    problems.into()
}

#[cfg(test)]
pub mod samples;
#[cfg(test)]
mod tests;
