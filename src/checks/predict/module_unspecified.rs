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
