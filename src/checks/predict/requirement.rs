//! The machine does not meet the image's requirements.

use crate::checks::predict::each;
use crate::checks::predict::questions::requirement;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.requirement",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The machine does not meet the image's requirements",
    why: "NVIDIA_REQUIRE_CUDA names the drivers and GPUs that the image was made for. \
          nvidia-container-cli checks it and refuses to start the container: unsatisfied condition.",
    remedy: "Install a newer driver on the machine; or, if minor-version compatibility is enough, run \
          with -e NVIDIA_DISABLE_REQUIRE=1",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Requirement, |asked| match requirement::ask(asked) {
        requirement::Answer::NotMet(variables) => {
            let problem = asked.problem("The machine does not meet what the image requires.");
            let line = |problem: Problem, (name, value)| problem.evidence(format!("{name}={value}"));
            Some(variables.into_iter().fold(problem, line))
        }
        _ => None,
    })
}
