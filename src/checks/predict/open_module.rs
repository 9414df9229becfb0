//! The open kernel module does not support this GPU.

use crate::checks::predict::each;
use crate::checks::predict::questions::module;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.open-module",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The open kernel module does not support this GPU",
    why: "The open kernel module supports Turing (sm_75) and later. Maxwell, Pascal and Volta need the \
          closed one.",
    remedy: "Install the closed (proprietary) kernel module on the machine",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Module, |asked| {
        let gpu = asked.machine.gpu;
        (module::ask(asked.machine) == module::Answer::OpenNeedsClosed).then(|| {
            Problem::new(format!("The open kernel module supports GPUs since sm_75; this one is sm_{gpu}."))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{image, problem, problems};

    #[test]
    fn gpus_before_turing_need_the_closed_module() {
        let image = || image(&["sm_70", "sm_75"], Some("12.4.127"));
        let (cause, _) = problem(judge, image(), "gpu=V100,cuda=12.4,open-module=yes");
        assert_eq!(cause, "The open kernel module supports GPUs since sm_75; this one is sm_70.");
        for machine in
            ["gpu=V100,cuda=12.4,open-module=no", "gpu=V100,cuda=12.4", "gpu=T4,cuda=12.4,open-module=yes"]
        {
            assert!(problems(judge, image(), machine).is_empty(), "{machine}");
        }
    }
}
