//! Cannot predict whether the image works on this machine.

use crate::checks::predict::image_unknown::of_machine;
use crate::checks::predict::on_machines;
use crate::checks::predict::questions::asked::Asked;
use crate::checks::predict::questions::cuda::{Compared, Fit};
use crate::checks::predict::questions::{code, cuda, gpu, requirement};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.unknown",
    severity: Severity::Unknown,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "Cannot predict whether the image works on this machine",
    why: "A prediction needs a driver and a GPU that cudacheck knows. If one of them is not in its tables, or the \
          description leaves out what decides, the result is unknown.",
    remedy: "Describe the machine in more detail (cuda=, datacenter=), or run `cudacheck` on the machine",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    on_machines(
        facts,
        &[
            (Question::Code, code),
            (Question::Cuda, cuda),
            (Question::Gpu, gpu),
            (Question::Requirement, requirement),
        ],
    )
}

fn code(asked: &Asked) -> Option<Problem> {
    let gpu = asked.machine.gpu;
    match code::ask(asked) {
        code::Answer::Ptx(ptx) if ptx.compiles.is_none() && of_machine(&ptx) => {
            let rest = format!("has only PTX for sm_{gpu}; it is unknown whether this driver compiles it.");
            Some(ptx.problem(asked, &rest))
        }
        code::Answer::Zstd(zstd) if !zstd.refused => {
            let rest = format!("has code for sm_{gpu}; it is unknown whether this driver decompresses it.");
            Some(zstd.problem(asked, &rest))
        }
        _ => None,
    }
}

fn cuda(asked: &Asked) -> Option<Problem> {
    match cuda::ask(asked) {
        cuda::Answer::Compared(Compared { runtime, fit: Fit::Unknown, .. }) => {
            let cause =
                format!("It is unknown whether the driver is new enough for CUDA {}.", runtime.text());
            Some(asked.problem(cause).evidence(runtime.evidence()))
        }
        cuda::Answer::CompatUnknown { compat, why } => Some(asked.problem(why).evidence(compat.evidence())),
        _ => None,
    }
}

fn gpu(asked: &Asked) -> Option<Problem> {
    let unknown = gpu::ask(asked) == gpu::Answer::Unknown;
    let cause = || format!("It is unknown whether this driver supports sm_{}.", asked.machine.gpu);
    unknown.then(|| asked.problem(cause()))
}

fn requirement(asked: &Asked) -> Option<Problem> {
    let requirement::Answer::Unknown(variables) = requirement::ask(asked) else { return None };
    let problem = asked.problem("It is unknown whether the machine meets what the image requires.");
    Some(
        variables
            .into_iter()
            .fold(problem, |problem, (name, value)| problem.evidence(format!("{name}={value}"))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{image, problem, problems};
    use image_audit::config::Image;

    const H100: &str = "gpu=H100,driver=550.54.15";

    #[test]
    fn a_runtime_that_is_newer_than_the_table_is_unknown() {
        let (cause, evidence) = problem(judge, image(&["sm_90"], Some("14.0.1")), "gpu=H100,driver=700.10");
        assert_eq!(cause, "It is unknown whether the driver is new enough for CUDA 14.0.");
        assert!(evidence.contains(&"/site/nvidia/libcudart.so.14: CUDA 14.0".to_owned()), "{evidence:?}");
    }

    #[test]
    fn an_unknown_driver_is_the_machines_part() {
        let unknown = |code: &str, zstd| {
            let mut facts = image(&[code], Some("12.4.127"));
            facts.census.frameworks[0].objects[0].device_code[0].zstd = zstd;
            let causes = problems(judge, facts, "gpu=H100,driver=390.10").into_iter();
            causes.map(|problem| problem.cause).find(|cause| cause.starts_with("torch")).unwrap_or_default()
        };
        assert_eq!(unknown("sm_90", 0), "");
        assert!(unknown("sm_90", 1).ends_with("whether this driver decompresses it."));
        assert!(unknown("compute_90/8.4", 0).ends_with("whether this driver compiles it."));
    }

    #[test]
    fn a_requirement_that_cannot_be_decided_is_unknown() {
        let mut facts = image(&["sm_89"], Some("12.4.127"));
        let requirements = vec![("NVIDIA_REQUIRE_CUDA".to_owned(), "cuda>=12.6 brand=nvidia".to_owned())];
        facts.image = Some(Image { requirements, ..Image::default() });
        let (_, evidence) = problem(judge, facts, "gpu=RTX 4090,cuda=12.4");
        assert!(evidence.contains(&"NVIDIA_REQUIRE_CUDA=cuda>=12.6 brand=nvidia".to_owned()), "{evidence:?}");
    }

    #[test]
    fn what_is_known_is_no_problem() {
        assert!(problems(judge, image(&["sm_90"], Some("12.4.127")), H100).is_empty());
    }
}
