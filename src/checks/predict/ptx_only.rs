//! The image has only PTX for the machine's GPU.

use crate::checks::predict::each;
use crate::checks::predict::questions::code;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.ptx-only",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image has only PTX for the machine's GPU",
    why: "Without compiled code for the GPU, the driver compiles the PTX when it is loaded. The first \
          start takes minutes, and a new container loses the cache.",
    remedy: "Install a build of the framework with code for this GPU, or keep the cache: `docker run -e \
             CUDA_CACHE_PATH=/cache -v cuda-cache:/cache -e CUDA_CACHE_MAXSIZE=4294967296 ...`",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Code, |asked| match code::ask(asked) {
        code::Answer::Ptx(ptx) if ptx.compiles == Some(true) => {
            let gpu = asked.machine.gpu;
            Some(ptx.problem(asked, &format!("has only PTX for sm_{gpu}, no compiled code.")))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{image, problem, problems};

    #[test]
    fn ptx_is_compiled_by_a_driver_of_its_own_cuda() {
        let image = || image(&["sm_80", "compute_80"], Some("12.4.127"));
        let (cause, _) = problem(judge, image(), "gpu=H100,driver=550.54.15");
        assert_eq!(cause, "torch has only PTX for sm_90, no compiled code.");
        assert!(problems(judge, image(), "gpu=A100,driver=550.54.15").is_empty(), "compiled code");
        assert!(problems(judge, image(), "gpu=H100,driver=535.104.05").is_empty(), "another finding");
    }
}
