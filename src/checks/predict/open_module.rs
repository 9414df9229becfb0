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
