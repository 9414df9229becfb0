//! The image works here through its cuda-compat driver.

use crate::checks::predict::each;
use crate::checks::predict::questions::cuda::{self, Compared};
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.compat",
    severity: Severity::Note,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The image works here through its cuda-compat driver",
    why: "The libcuda of a cuda-compat package replaces an older driver on data center GPUs. A note in \
          its ELF file lists the drivers that it can replace.",
    remedy: "No action needed: the NVIDIA Container Toolkit mounts it by itself. To verify on the \
          machine, run cudacheck",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Cuda, |asked| {
        let (compat, how) = match cuda::ask(asked) {
            cuda::Answer::Compat { compat, .. } => (compat, "The container runtime has to put it first."),
            cuda::Answer::Compared(Compared { in_front: Some(compat), .. }) => {
                (compat, "LD_LIBRARY_PATH puts it first.")
            }
            _ => return None,
        };
        let cause = format!("The image works here with its own driver {}. {how}", compat.version());
        Some(asked.problem(cause).evidence(compat.evidence()))
    })
}
