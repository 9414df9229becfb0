//! The machine's driver is too old for its GPU.

use crate::checks::predict::each;
use crate::checks::predict::questions::gpu;
use crate::checks::{Check, Outcome};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.gpu-too-new",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The machine's driver is too old for its GPU",
    why: "A driver supports the GPUs that existed when it was released. It does not list a newer one, \
          whatever the image contains.",
    remedy: "Install a newer driver on the machine",
    explains: &[],
    codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Gpu, |asked| match gpu::ask(asked) {
        gpu::Answer::TooNew { since: (major, minor) } => {
            let gpu = asked.machine.gpu;
            Some(asked.problem(format!("sm_{gpu} needs a driver for CUDA {major}.{minor} or newer.")))
        }
        _ => None,
    })
}
