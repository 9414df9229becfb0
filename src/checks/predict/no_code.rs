//! The image has no code for the machine's GPU.

use crate::checks::predict::questions::code;
use crate::checks::predict::{builds, each};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.no-code",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image has no code for the machine's GPU",
    why: "Each package with device code of its own is judged by itself; NVIDIA's libraries beside it have code for \
          all GPUs. Compiled code runs on GPUs of the same major compute capability and the same or a higher \
          minor one. PTX can be compiled for newer GPUs. With neither, the first kernel fails with \
          error 209: no kernel image is available.",
    remedy: "Install a release of the framework that supports this GPU, or build it with \
          TORCH_CUDA_ARCH_LIST",
    explains: &[],
    codes: &[(Library::Driver, 209), (Library::Runtime, 209)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Code, |asked| match code::ask(asked) {
        code::Answer::Few { images, of, code } => {
            let problem = code.too_little(asked.machine.gpu, images, of);
            Some(match builds::pip(asked) {
                Some(pip) => {
                    problem.remedy(format!("Install the build of torch for this GPU and driver: {pip}"))
                }
                None => problem,
            })
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{TORCH, image, problems};

    const REMEDY: &str = "Install the build of torch for this GPU and driver: `pip install torch --index-url \
                          https://download.pytorch.org/whl/cu128`";

    #[test]
    fn code_runs_on_the_same_major_version_and_a_higher_minor_one() {
        let on = |code: &[&str], machine: &str| problems(judge, image(code, Some("12.4.127")), machine);
        let problem = on(&["sm_80"], "gpu=H100,driver=550.54.15").remove(0);
        assert_eq!(problem.cause, "torch has neither code for sm_90 nor PTX that runs on it.");
        assert_eq!(problem.path.as_deref(), Some(TORCH));
        assert_eq!(problem.remedy.as_deref(), Some(REMEDY));
        let paths: Vec<&str> = problem.evidence.iter().filter_map(|line| line.path.as_deref()).collect();
        assert_eq!(paths, [TORCH]);
        assert!(on(&["sm_80"], "gpu=sm_86,driver=550.54.15").is_empty(), "sm_86 runs code for sm_80");
        assert_eq!(on(&["sm_86"], "gpu=A100,driver=550.54.15").len(), 1, "sm_80 does not run code for sm_86");
        assert!(on(&["compute_80"], "gpu=H100,driver=550.54.15").is_empty(), "PTX is another finding");
    }
}
