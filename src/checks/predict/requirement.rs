//! The machine does not meet the image's requirements.

use crate::checks::predict::each;
use crate::checks::predict::questions::requirement;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.requirement",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The machine does not meet the image's requirements",
    why: "NVIDIA_REQUIRE_CUDA names the drivers and GPUs that the image was made for. \
          nvidia-container-cli checks it and refuses to start the container: unsatisfied condition.",
    remedy: "Install a newer driver on the machine or, if minor-version compatibility is enough, disable the \
             requirement: `docker run -e NVIDIA_DISABLE_REQUIRE=1 ...`",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Requirement, |asked| match requirement::ask(asked) {
        requirement::Answer::NotMet(variables) => {
            let problem = asked.problem("The machine does not meet what the image requires.");
            let line = |problem: Problem, (name, value)| problem.evidence(format!("{name}={value}"));
            Some(variables.into_iter().fold(problem, line))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{image, problem, problems};
    use image_audit::config::Image;

    /// No data center GPU, and CUDA 12.4.
    const MACHINE: &str = "gpu=RTX 4090,driver=550.54.15";

    fn requiring(variables: &[(&str, &str)]) -> Facts {
        let mut facts = image(&["sm_89"], Some("12.4.127"));
        let requirements =
            variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        facts.image = Some(Image { requirements, ..Image::default() });
        facts
    }

    fn is_met(variables: &[(&str, &str)]) -> bool {
        problems(judge, requiring(variables), MACHINE).is_empty()
    }

    #[test]
    fn one_alternative_of_each_variable_must_be_met() {
        assert!(is_met(&[("NVIDIA_REQUIRE_CUDA", "cuda>=12.4 brand=tesla,driver>=470")]));
        assert!(!is_met(&[("NVIDIA_REQUIRE_CUDA", "cuda>=12.6 brand=tesla,driver>=470")]));
        assert!(is_met(&[("NVIDIA_REQUIRE_CUDA", "cuda>=12.6 brand=nvidia")]), "unknown is another finding");
        assert!(is_met(&[("NVIDIA_REQUIRE_JETPACK", "csv-mounts=all")]));
        assert!(is_met(&[("NVIDIA_REQUIRE_JETPACK_HOST_MOUNTS", "base-only")]));
    }

    #[test]
    fn requirements_are_disabled_by_the_values_that_go_takes_for_true() {
        let with =
            |value: &str| is_met(&[("NVIDIA_REQUIRE_CUDA", "cuda>=12.6"), ("NVIDIA_DISABLE_REQUIRE", value)]);
        for value in ["1", "t", "T", "TRUE", "true", "True"] {
            assert!(with(value), "{value}");
        }
        for value in ["", "0", "yes", "tRUE"] {
            assert!(!with(value), "{value}");
        }
    }

    #[test]
    fn all_variables_that_are_not_met_are_evidence() {
        let variables = [
            ("NVIDIA_REQUIRE_CUDA", "cuda>=12.6"),
            ("NVIDIA_REQUIRE_DRIVER", "driver>=570"),
            ("NVIDIA_REQUIRE_ARCH", "arch>=8.0"),
        ];
        let (_, evidence) = problem(judge, requiring(&variables), MACHINE);
        assert_eq!(
            evidence,
            [
                "driver 550.54.15 supports CUDA 12.4",
                "NVIDIA_REQUIRE_CUDA=cuda>=12.6",
                "NVIDIA_REQUIRE_DRIVER=driver>=570"
            ]
        );
    }
}
