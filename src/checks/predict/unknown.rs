//! Cannot predict whether the image works on this machine.

use crate::checks::predict::on_machines;
use crate::checks::predict::questions::asked::Asked;
use crate::checks::predict::questions::cuda::{Compared, Fit};
use crate::checks::predict::questions::{code, cuda, gpu, requirement};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.unknown",
    severity: Severity::Unknown,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "Cannot predict whether the image works on this machine",
    why: "A prediction needs the device code and the libraries of the image, and a driver and a GPU \
          that cudacheck knows. If one of them is missing, the result is unknown.",
    remedy: "Describe the machine in more detail (cuda=, datacenter=), audit at the full level, or run \
          cudacheck on the machine",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    on_machines(facts, |asked| {
        let found = [
            (Question::Code, code(asked)),
            (Question::Cuda, cuda(asked)),
            (Question::Gpu, gpu(asked)),
            (Question::Requirement, requirement(asked)),
        ];
        found.into_iter().filter_map(|(question, problem)| Some((question, problem?))).collect()
    })
}

fn code(asked: &Asked) -> Option<Problem> {
    let gpu = asked.machine.gpu;
    match code::ask(asked) {
        code::Answer::NotRead => {
            Some(Problem::new("The device code was not read: that needs the full level (--level full)."))
        }
        code::Answer::NotFound => Some(Problem::new(
            "No device code was found in the image; a program may download or generate it.",
        )),
        code::Answer::Ptx(ptx) if ptx.compiles.is_none() => {
            let rest = format!("has only PTX for sm_{gpu}; it is unknown whether this driver compiles it.");
            Some(ptx.problem(asked, &rest))
        }
        _ => None,
    }
}

fn cuda(asked: &Asked) -> Option<Problem> {
    match cuda::ask(asked) {
        cuda::Answer::NoRuntime { .. } => Some(Problem::new(
            "The image has no libcudart that shows its CUDA version; programs may link it statically.",
        )),
        cuda::Answer::Compared(Compared { runtime, fit: Fit::Unknown, .. }) => {
            let cause =
                format!("It is unknown whether the driver is new enough for CUDA {}.", runtime.text());
            Some(asked.problem(cause).evidence(runtime.evidence()))
        }
        cuda::Answer::CompatUnknown { compat, why } => Some(asked.problem(why).evidence(compat.evidence())),
        _ => None,
    }
}

fn gpu(asked: &Asked) -> Option<Problem> {
    let unknown = gpu::ask(asked) == gpu::Answer::Unknown;
    let cause = || format!("It is unknown whether this driver supports sm_{}.", asked.machine.gpu);
    unknown.then(|| asked.problem(cause()))
}

fn requirement(asked: &Asked) -> Option<Problem> {
    let requirement::Answer::Unknown(variables) = requirement::ask(asked) else { return None };
    let problem = asked.problem("It is unknown whether the machine meets what the image requires.");
    Some(
        variables
            .into_iter()
            .fold(problem, |problem, (name, value)| problem.evidence(format!("{name}={value}"))),
    )
}
