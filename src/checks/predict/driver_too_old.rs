//! The machine's driver is too old for the image.

use crate::checks::predict::each;
use crate::checks::predict::questions::cuda::{self, Compared, Fit};
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.driver-too-old",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The machine's driver is too old for the image",
    why: "A program needs a driver for the major CUDA version that it was built with, or newer. With \
          an older driver its first CUDA call returns error 35. On data center GPUs, a cuda-compat \
          package in the image can replace certain older drivers.",
    remedy: "Install a newer driver on the machine, or use an image for the CUDA of its driver",
    explains: &[],
    codes: &[(Family::Runtime, 35)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Cuda, |asked| {
        let cuda::Answer::Compared(Compared { runtime, fit: Fit::TooOld, refused, .. }) = cuda::ask(asked)
        else {
            return None;
        };
        let cause = format!("The image's CUDA {} needs a newer driver.", runtime.text());
        let problem = asked.problem(cause).evidence(runtime.evidence());
        Some(refused.into_iter().fold(problem, Problem::evidence))
    })
}
