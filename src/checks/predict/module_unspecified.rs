//! This GPU needs the open kernel module.

use crate::checks::predict::each;
use crate::checks::predict::questions::module;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.module-unspecified",
    severity: Severity::Note,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "This GPU needs the open kernel module",
    why: "Blackwell and newer GPUs work only with the open kernel module. The description of the \
          machine does not name its module.",
    remedy: "Check that `cat /proc/driver/nvidia/version` on the machine shows Open Kernel Module",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Module, |asked| {
        let gpu = asked.machine.gpu;
        (module::ask(asked.machine) == module::Answer::UnknownNeedsOpen).then(|| {
            Problem::new(format!("sm_{gpu} works only with the open kernel module (open-module=yes|no)."))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{image, problem, problems};

    #[test]
    fn a_gpu_that_needs_the_open_module_leaves_the_question_open() {
        let image = || image(&["sm_100", "sm_90"], Some("13.2.86"));
        let (cause, _) = problem(judge, image(), "gpu=B200,cuda=13.2");
        assert_eq!(cause, "sm_100 works only with the open kernel module (open-module=yes|no).");
        for machine in ["gpu=B200,cuda=13.2,open-module=yes", "gpu=H100,cuda=13.2"] {
            assert!(problems(judge, image(), machine).is_empty(), "{machine}");
        }
    }
}
