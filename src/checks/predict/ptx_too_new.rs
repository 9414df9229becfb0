//! The driver is too old for the image's PTX.

use crate::checks::predict::each;
use crate::checks::predict::questions::code;
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.ptx-too-new",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The driver is too old for the image's PTX",
    why: "The driver compiles PTX of its own CUDA version or an older one. Newer PTX fails with error \
          222, even within one major version, where compiled code would run.",
    remedy: "Install a driver for the image's CUDA or newer, or a build with compiled code for this GPU",
    explains: &[],
    codes: &[(Library::Driver, 222), (Library::Runtime, 222)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Code, |asked| match code::ask(asked) {
        code::Answer::Ptx(ptx) if ptx.compiles == Some(false) => {
            let gpu = asked.machine.gpu;
            Some(ptx.problem(asked, &format!("has only PTX for sm_{gpu}, which is newer than the driver.")))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{image, problem, problems};

    #[test]
    fn ptx_of_a_newer_cuda_is_not_compiled() {
        let image = || image(&["sm_80", "compute_80"], Some("12.4.127"));
        let (cause, _) = problem(judge, image(), "gpu=H100,driver=535.104.05");
        assert_eq!(cause, "torch has only PTX for sm_90, which is newer than the driver.");
        for machine in ["gpu=A100,driver=535.104.05", "gpu=H100,driver=550.54.15"] {
            assert!(problems(judge, image(), machine).is_empty(), "{machine}");
        }
    }
}
