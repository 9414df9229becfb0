//! The closed kernel module does not support this GPU.

use crate::checks::predict::each;
use crate::checks::predict::questions::module;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.closed-module",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The closed kernel module does not support this GPU",
    why: "Blackwell and newer GPUs work only with the open kernel module.",
    remedy: "Install the open kernel module on the machine (package nvidia-open or \
          nvidia-driver-NNN-open)",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Module, |asked| {
        let gpu = asked.machine.gpu;
        (module::ask(asked.machine) == module::Answer::ClosedNeedsOpen).then(|| {
            Problem::new(format!(
                "sm_{gpu} works only with the open kernel module; the machine has the closed one."
            ))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{image, problem, problems};

    #[test]
    fn gpus_since_blackwell_need_the_open_module() {
        let image = || image(&["sm_100", "sm_90"], Some("13.2.86"));
        let (cause, _) = problem(judge, image(), "gpu=B200,cuda=13.2,open-module=no");
        assert_eq!(cause, "sm_100 works only with the open kernel module; the machine has the closed one.");
        for machine in
            ["gpu=B200,cuda=13.2,open-module=yes", "gpu=B200,cuda=13.2", "gpu=H100,cuda=13.2,open-module=no"]
        {
            assert!(problems(judge, image(), machine).is_empty(), "{machine}");
        }
    }
}
