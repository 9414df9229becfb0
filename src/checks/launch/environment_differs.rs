//! The container's main process has another environment than this check.

use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.environment-differs",
    severity: Severity::Note,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The container's main process has another environment than this check",
    why: "Health checks and exec get the environment of the image and of the start command, not what a start script \
          exported. The application may load other libraries, or see other GPUs, than what is checked here.",
    remedy: "Set the variables by ENV in the Dockerfile or -e at the start, not in the start script",
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
    let problem = Problem::new(format!("Process 1 has its own {}.", names.join(", ")));
    let list = |problem: Problem, (name, value): (&String, &String)| {
        let here =
            facts.host.environment.get(name).map_or("not set here".to_owned(), |here| format!("here {here}"));
        problem.evidence(format!("{name}={value} in process 1, {here}"))
    };
    Some(differs.iter().fold(problem, list)).into()
}
