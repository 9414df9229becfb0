//! The image's CUDA no longer supports this GPU.

use crate::checks::predict::questions::code;
use crate::checks::predict::{builds, each};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
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
    codes: &[(Library::Driver, 209), (Library::Runtime, 209)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Code, |asked| match code::ask(asked) {
        code::Answer::Dropped { runtime, oldest, code } => {
            let (cuda, gpu) = (runtime.text(), asked.machine.gpu);
            let rest = format!("has no code for sm_{gpu}: CUDA {cuda} supports GPUs since sm_{oldest}.");
            let problem = code.problem(&rest).evidence(runtime.evidence());
            Some(match builds::pip(asked) {
                Some(pip) => problem.remedy(format!("Install a build of torch for an older CUDA: {pip}")),
                None => problem,
            })
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{image, problem, problems};

    #[test]
    fn a_cuda_that_dropped_the_gpu_has_no_code_for_it() {
        let (cause, evidence) =
            problem(judge, image(&["sm_75"], Some("13.0.48")), "gpu=V100,driver=580.65.06");
        assert_eq!(cause, "torch has no code for sm_70: CUDA 13.0 supports GPUs since sm_75.");
        assert!(evidence.contains(&"/site/nvidia/libcudart.so.13: CUDA 13.0".to_owned()), "{evidence:?}");
        let older = image(&["sm_75"], Some("12.4.127"));
        assert!(problems(judge, older, "gpu=V100,driver=580.65.06").is_empty(), "CUDA 12 could have it");
    }
}
