//! A GPU that --gpus names is not here.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::visible::{gpus, sees_none, variable};
use crate::facts::{Facts, gpu_selection};
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.gpu-absent",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "A GPU that --gpus names is not here",
    why: "Numbers count the GPUs that CUDA shows to this container, from 0 on and after CUDA_VISIBLE_DEVICES; UUIDs \
          are those of nvidia-smi -L. A GPU that has fallen off its bus is not listed any more.",
    remedy: "Name GPUs that `nvidia-smi -L` lists inside the container, or leave --gpus (CUDACHECK_GPUS) out",
    explains: &["driver.too-few", "probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.request.gpus.is_empty() {
        return Outcome::Skip("--gpus was not given");
    }
    // What hides all hides these.
    if sees_none(facts) {
        return Outcome::Pass;
    }
    let problem = |named: &String| {
        let problem = Problem::new(format!("There is no GPU {named} here."));
        let uuids = gpus(facts).filter_map(|gpu| gpu.uuid.known()).take(16);
        let problem = uuids.fold(problem, |problem, uuid| problem.evidence(format!("here is {uuid}")));
        match variable(facts) {
            Some(value) => problem.evidence(format!("CUDA_VISIBLE_DEVICES={value}")),
            None => problem,
        }
    };
    gpu_selection::absent(facts).into_iter().map(problem).collect::<Vec<_>>().into()
}
