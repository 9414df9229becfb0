//! The image's cuda-compat driver does not work here.

use crate::checks::predict::each;
use crate::checks::predict::questions::cuda;
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.compat-in-front",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image's cuda-compat driver does not work here",
    why: "LD_LIBRARY_PATH puts the libcuda of cuda-compat before the machine's. It works on data \
          center GPUs only, and only in place of certain older drivers. Everywhere else CUDA fails \
          with 803 or 804.",
    remedy: "Remove the compat directory from ENV LD_LIBRARY_PATH: the NVIDIA Container Toolkit selects \
          it where it helps",
    explains: &[],
    codes: &[
        (Library::Driver, 803),
        (Library::Driver, 804),
        (Library::Runtime, 803),
        (Library::Runtime, 804),
    ],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Cuda, |asked| match cuda::ask(asked) {
        cuda::Answer::CompatRefused { compat, why } => Some(asked.problem(why).evidence(compat.evidence())),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{COMPAT, compat_driver, image, problem, problems};

    /// An image that puts its cuda-compat driver first.
    fn in_front() -> Facts {
        let mut facts = image(&["sm_90"], Some("13.1.80"));
        facts.census.copies.push(compat_driver(Some(&[535, 550])));
        facts.census.library_path = Some("/usr/local/cuda/compat:/opt".to_owned());
        facts
    }

    #[test]
    fn a_newer_driver_is_hidden_by_the_one_of_the_image() {
        let (cause, evidence) = problem(judge, in_front(), "gpu=H100,driver=595.10");
        assert!(cause.contains("590.44.01"), "{cause}");
        assert!(evidence.iter().any(|line| line.contains(COMPAT)), "{evidence:?}");
    }

    #[test]
    fn a_driver_that_can_be_replaced_is_no_problem() {
        assert!(problems(judge, in_front(), "gpu=H100,driver=535.104.05").is_empty());
        let mut behind = in_front();
        behind.census.library_path = None;
        assert!(problems(judge, behind, "gpu=H100,driver=595.10").is_empty());
    }
}
