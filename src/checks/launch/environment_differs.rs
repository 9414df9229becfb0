//! Process 1 has other values of the variables that select libraries and GPUs.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.environment-differs",
    severity: Severity::Note,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "Process 1 has a different environment from this check",
    why: "Health checks and exec get the environment of the image and of the start command, not what an entrypoint \
          script exported. The application may load other libraries, or see other GPUs, than this check does.",
    remedy: "Set the variables with ENV in the Dockerfile or with `docker run -e`, not in the entrypoint script",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let differs = &facts.host.differs_in_first;
    if differs.is_empty() || !facts.request.running {
        return Outcome::Pass;
    }
    let names: Vec<&str> = differs.keys().map(String::as_str).collect();
    let problem = Problem::new(format!("Process 1 has a different {}.", names.join(" and ")));
    let list = |problem: Problem, (name, value): (&String, &String)| {
        let here = match facts.host.environment.get(name) {
            Some(here) => format!("here {here}"),
            None => "not set here".to_owned(),
        };
        problem.evidence(format!("{name}={value} in process 1, {here}"))
    };
    Some(differs.iter().fold(problem, list)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{lines, passes, problem};
    use crate::facts::sample::Sample;

    fn differing() -> Sample {
        Sample::machine(1).env("CUDA_VISIBLE_DEVICES", "0").host(|host| {
            host.differs_in_first.insert("CUDA_VISIBLE_DEVICES".into(), "1".into());
            host.differs_in_first.insert("LD_LIBRARY_PATH".into(), "/opt".into());
        })
    }

    #[test]
    fn both_values_are_shown() {
        let problem = problem(judge(&differing().facts()));
        assert_eq!(problem.cause, "Process 1 has a different CUDA_VISIBLE_DEVICES and LD_LIBRARY_PATH.");
        let expected = [
            "CUDA_VISIBLE_DEVICES=1 in process 1, here 0",
            "LD_LIBRARY_PATH=/opt in process 1, not set here",
        ];
        assert_eq!(lines(&problem), expected);
    }

    #[test]
    fn an_image_at_rest_has_no_process() {
        assert!(passes(judge(&differing().with(|facts| facts.request.running = false).facts())));
        assert!(passes(judge(&Sample::machine(1).facts())));
    }
}
