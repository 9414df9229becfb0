//! CUDA is a client of MPS, and the MPS daemon does not answer.

use crate::checks::shared::init_fault::init_fault;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.mps",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "CUDA cannot reach the MPS daemon",
    why: "The environment or the GPU's compute mode makes CUDA a client of the Multi-Process Service (MPS), and its \
          daemon does not answer: its pipe directory is not in the container, or it runs as another user or in \
          another IPC namespace.",
    remedy: "`docker run --ipc=host -v /tmp/nvidia-mps:/tmp/nvidia-mps ...` as the daemon's user, or unset \
             CUDA_MPS_PIPE_DIRECTORY to run without MPS",
    explains: &["driver.init", "device.context", "probe.nothing-verified"],
    codes: &[(Library::Driver, 805), (Library::Runtime, 805)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some((run, phrase)) = init_fault(facts, 805) else { return Outcome::Pass };
    let pipes = facts.host.environment.get("CUDA_MPS_PIPE_DIRECTORY");
    let pipes = pipes.map_or("/tmp/nvidia-mps", String::as_str);
    let problem = if facts.host.platform.mps {
        Problem::new(format!("{pipes} is in the container, but no MPS daemon answers there.")).at(pipes)
    } else {
        Problem::new(format!("CUDA looks for the MPS daemon in {pipes}, which is not in the container."))
    };
    Some(problem.evidence(phrase).gpu(facts.gpu_of_run(run))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{passes, problem};
    use crate::facts::sample::{Sample, fault};
    use crate::model::Stage;

    fn failing(code: i64) -> Sample {
        Sample::machine(2).fault(Some(1), Stage::Context, fault("cuCtxCreate", code))
    }

    #[test]
    fn the_pipe_directory_is_named() {
        let default = problem(judge(&failing(805).facts()));
        assert!(
            default.cause.contains("/tmp/nvidia-mps, which is not in the container"),
            "{}",
            default.cause
        );
        assert_eq!(default.gpu.unwrap().ordinal, Some(1));
        let there =
            failing(805).env("CUDA_MPS_PIPE_DIRECTORY", "/mps").host(|host| host.platform.mps = true).facts();
        let there = problem(judge(&there));
        assert_eq!(there.cause, "/mps is in the container, but no MPS daemon answers there.");
        assert_eq!(there.path.as_deref(), Some("/mps"));
    }

    #[test]
    fn a_pipe_directory_is_no_problem_by_itself() {
        assert!(passes(judge(&failing(2).host(|host| host.platform.mps = true).facts())));
    }
}
