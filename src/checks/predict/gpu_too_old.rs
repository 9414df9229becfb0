//! The machine's driver no longer supports its GPU.

use crate::checks::predict::each;
use crate::checks::predict::questions::gpu;
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.gpu-too-old",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The machine's driver no longer supports its GPU",
    why: "Driver 470 is the last branch for Kepler, driver 580 the last for Maxwell, Pascal and Volta.",
    remedy: "Keep the machine on the last driver branch for its GPU, and use an image for the CUDA of \
          that driver",
    explains: &[],
    codes: &[(Library::Driver, 100), (Library::Runtime, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Gpu, |asked| match gpu::ask(asked) {
        gpu::Answer::TooOld { last } => {
            let gpu = asked.machine.gpu;
            Some(asked.problem(format!("Driver {last} is the last branch that supports sm_{gpu}.")))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{image, problem, problems};

    #[test]
    fn the_last_branch_for_a_gpu_is_the_limit() {
        let image = || image(&["sm_70"], Some("12.4.127"));
        let (cause, _) = problem(judge, image(), "gpu=V100,driver=590.44.01");
        assert_eq!(cause, "Driver 580 is the last branch that supports sm_70.");
        assert!(problems(judge, image(), "gpu=V100,driver=580.65.06").is_empty());
        // With only the CUDA given, the CUDA of that branch is the limit.
        assert_eq!(problems(judge, image(), "gpu=V100,cuda=13.1").len(), 1);
        assert!(problems(judge, image(), "gpu=V100,cuda=13.0").is_empty());
    }
}
