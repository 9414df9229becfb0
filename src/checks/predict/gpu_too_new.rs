//! The machine's driver is too old for its GPU.

use crate::checks::predict::each;
use crate::checks::predict::questions::gpu;
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Question, Severity};

pub const CHECK: Check = Check {
    id: "predict.gpu-too-new",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The machine's driver is too old for its GPU",
    why: "A driver supports the GPUs that existed when it was released. It does not list a newer one, \
          whatever the image contains.",
    remedy: "Install a newer driver on the machine",
    explains: &[],
    codes: &[(Library::Driver, 100), (Library::Runtime, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, Question::Gpu, |asked| match gpu::ask(asked) {
        gpu::Answer::TooNew { since: (major, minor) } => {
            let gpu = asked.machine.gpu;
            Some(asked.problem(format!("sm_{gpu} needs a driver for CUDA {major}.{minor} or newer.")))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::predict::samples::{image, problem, problems};

    #[test]
    fn the_first_cuda_for_a_gpu_is_the_least() {
        let image = || image(&["sm_120"], Some("12.8.93"));
        let (cause, evidence) = problem(judge, image(), "gpu=RTX 5090,driver=535.104.05");
        assert_eq!(cause, "sm_120 needs a driver for CUDA 12.8 or newer.");
        assert_eq!(evidence, ["driver 535.104.05 supports CUDA 12.2"]);
        assert!(problems(judge, image(), "gpu=RTX 5090,driver=570.86.15").is_empty());
    }
}
