//! The image's cuda-compat driver does not work here.

use crate::checks::predict::each;
use crate::checks::predict::questions::cuda;
use crate::checks::{Check, Outcome};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.compat-in-front",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image's cuda-compat driver does not work here",
    why: "LD_LIBRARY_PATH puts the libcuda of cuda-compat before the machine's. It works on data \
          center GPUs only, and only in place of certain older drivers. Everywhere else CUDA fails \
          with 803 or 804.",
    remedy: "Remove the compat directory from ENV LD_LIBRARY_PATH: the NVIDIA Container Toolkit selects \
          it where it helps",
    explains: &[],
    codes: &[(Family::Driver, 803), (Family::Driver, 804), (Family::Runtime, 803), (Family::Runtime, 804)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Cuda, |asked| match cuda::ask(asked) {
        cuda::Answer::CompatRefused { compat, why } => Some(asked.problem(why).evidence(compat.evidence())),
        _ => None,
    })
}
