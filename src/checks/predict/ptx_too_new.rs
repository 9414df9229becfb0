//! The driver is too old for the image's PTX.

use crate::checks::predict::each;
use crate::checks::predict::questions::code;
use crate::checks::{Check, Outcome};
use crate::codes::Family;
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
    codes: &[(Family::Driver, 222), (Family::Runtime, 222)],
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
