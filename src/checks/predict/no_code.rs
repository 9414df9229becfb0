//! The image has no code for the machine's GPU.

use crate::checks::predict::each;
use crate::checks::predict::questions::code;
use crate::checks::{Check, Outcome};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.no-code",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image has no code for the machine's GPU",
    why: "Compiled code runs on GPUs of the same major compute capability and the same or a higher \
          minor one. PTX can be compiled for newer GPUs. With neither, the first kernel fails with \
          error 209: no kernel image is available.",
    remedy: "Install a release of the framework that supports this GPU, or build it with \
          TORCH_CUDA_ARCH_LIST",
    explains: &[],
    codes: &[(Family::Driver, 209), (Family::Runtime, 209)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Code, |asked| match code::ask(asked) {
        code::Answer::NoneRuns { code } => {
            let gpu = asked.machine.gpu;
            Some(code.problem(&format!("has neither code for sm_{gpu} nor PTX that runs on it.")))
        }
        _ => None,
    })
}
