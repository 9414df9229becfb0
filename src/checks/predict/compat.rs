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
    remedy: "No action needed: the NVIDIA Container Toolkit mounts it by itself. To verify on the machine, run \
             `cudacheck`",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{compat_driver, image, problem, problems};

    #[test]
    fn a_driver_of_the_image_replaces_an_older_one_of_the_host() {
        let mut facts = image(&["sm_90"], Some("13.1.80"));
        facts.census.copies.push(compat_driver(Some(&[535, 550])));
        let cause = |facts: &Facts| problem(judge, facts.clone(), "gpu=H100,driver=535.104.05").0;
        assert_eq!(
            cause(&facts),
            "The image works here with its own driver 590.44.01. The container runtime has to put it first."
        );
        assert!(problems(judge, facts.clone(), "gpu=H100,driver=565.57.01").is_empty(), "not in its list");
        facts.census.library_path = Some("/usr/local/cuda/compat".to_owned());
        assert!(cause(&facts).ends_with("LD_LIBRARY_PATH puts it first."));
    }
}
