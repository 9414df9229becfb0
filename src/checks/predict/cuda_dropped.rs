//! The image's CUDA no longer supports this GPU.

use crate::checks::predict::each;
use crate::checks::predict::questions::code;
use crate::checks::{Check, Outcome};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.cuda-dropped",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image's CUDA no longer supports this GPU",
    why: "Each major CUDA version drops the oldest GPUs: CUDA 12 starts at sm_50, CUDA 13 at sm_75. \
          Its compilers generate no code for older GPUs, and its libraries contain none.",
    remedy: "Use an image that was built with an older CUDA",
    explains: &[],
    codes: &[(Family::Driver, 209), (Family::Runtime, 209)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Code, |asked| match code::ask(asked) {
        code::Answer::Dropped { runtime, oldest, code } => {
            let (cuda, gpu) = (runtime.text(), asked.machine.gpu);
            let rest = format!("has no code for sm_{gpu}: CUDA {cuda} supports GPUs since sm_{oldest}.");
            Some(code.problem(&rest).evidence(runtime.evidence()))
        }
        _ => None,
    })
}
