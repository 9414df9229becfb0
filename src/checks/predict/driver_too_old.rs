//! The machine's driver is too old for the image.

use crate::checks::predict::questions::cuda::{self, Compared, Fit};
use crate::checks::predict::{builds, each};
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.driver-too-old",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The machine's driver is too old for the image",
    why: "A program needs a driver for the major CUDA version that it was built with, or newer. With \
          an older driver its first CUDA call returns error 35. On data center GPUs, a cuda-compat \
          package in the image can replace certain older drivers.",
    remedy: "Install a newer driver on the machine, or use an image for the CUDA of its driver",
    explains: &[],
    codes: &[(Library::Runtime, 35)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Cuda, |asked| {
        let cuda::Answer::Compared(Compared { runtime, fit: Fit::TooOld, refused, .. }) = cuda::ask(asked)
        else {
            return None;
        };
        let cause = format!("{} needs a newer driver.", asked.whose(&runtime));
        let mut problem = asked.problem(cause).evidence(runtime.evidence());
        if let Some(pip) = builds::pip(asked) {
            problem = problem.remedy(format!(
                "Install a newer driver on the machine, or the build of torch for its driver: {pip}"
            ));
        }
        Some(refused.into_iter().fold(problem, Problem::evidence))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{compat_driver, image, problem, problems};

    #[test]
    fn an_older_major_version_is_too_old() {
        let image = || image(&["sm_80"], Some("12.4.127"));
        let problem = problems(judge, image(), "gpu=A100,driver=470.256.02").remove(0);
        assert_eq!(problem.cause, "CUDA 12.4 of torch needs a newer driver.");
        assert!(
            problem.remedy.as_deref().is_some_and(|remedy| remedy.ends_with("/cu118`")),
            "{:?}",
            problem.remedy
        );
        let paths: Vec<&str> = problem.evidence.iter().filter_map(|line| line.path.as_deref()).collect();
        assert_eq!(paths, ["/site/nvidia/libcudart.so.12"]);
        assert!(problems(judge, image(), "gpu=A100,driver=525.60.13").is_empty(), "the same major version");
    }

    #[test]
    fn evidence_says_why_the_driver_of_the_image_does_not_help() {
        let mut facts = image(&["sm_90"], Some("13.1.80"));
        facts.census.copies.push(compat_driver(Some(&[535, 550])));
        let (_, evidence) = problem(judge, facts, "gpu=H100,driver=565.57.01");
        assert_eq!(
            evidence,
            [
                "driver 565.57.01 supports CUDA 12.7",
                "/site/nvidia/libcudart.so.13: CUDA 13.1",
                "The image's driver 590.44.01 can replace drivers 535, 550, but not 565."
            ]
        );
    }
}
