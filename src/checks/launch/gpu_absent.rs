//! --gpus names a GPU that is not in this container.

use crate::checks::shared::visible_devices::{cuda_sees_none, cuda_visible_devices};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::{Facts, gpu_selection};
use crate::model::{Fix, GpuSelector, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.gpu-absent",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "--gpus names a GPU not in this container",
    why: "Numbers count the GPUs that CUDA lists in this container, from 0 and after CUDA_VISIBLE_DEVICES; UUIDs are \
          those of nvidia-smi -L. A GPU that has fallen off the bus is no longer listed.",
    remedy: "Name GPUs that `nvidia-smi -L` lists inside the container, or omit --gpus (CUDACHECK_GPUS)",
    explains: &["driver.too-few", "probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.request.gpus.is_empty() {
        return Outcome::Skip("--gpus was not given");
    }
    // What hides every GPU hides these too, and is reported instead.
    if cuda_sees_none(facts) {
        return Outcome::Pass;
    }
    let problem = |named: &GpuSelector| {
        let problem = Problem::new(format!("GPU {named} is not in this container."));
        let uuids = facts.nvml_devices().filter_map(|gpu| gpu.uuid.known()).take(16);
        let problem = uuids.fold(problem, |problem, uuid| problem.evidence(format!("NVML lists {uuid}")));
        match cuda_visible_devices(facts) {
            Some(value) => problem.evidence(format!("CUDA_VISIBLE_DEVICES={value}")),
            None => problem,
        }
    };
    gpu_selection::absent(facts).into_iter().map(problem).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{lines, passes, problem, skips};
    use crate::facts::sample::{Sample, fault};
    use crate::model::Stage;

    const FIRST: &str = "GPU-00000000-0000-0000-0000-000000000000";

    fn named(sample: Sample, gpus: &[&str]) -> Facts {
        let gpus = gpus.iter().map(|gpu| (*gpu).into()).collect();
        sample.with(|facts| facts.request.gpus = gpus).facts()
    }

    #[test]
    fn each_gpu_that_is_not_here_is_reported() {
        let problem = problem(judge(&named(Sample::machine(1), &["0", "5", FIRST])));
        assert_eq!(problem.cause, "GPU 5 is not in this container.");
        assert_eq!(lines(&problem), [format!("NVML lists {FIRST}")]);
        let Outcome::Fail(two) = judge(&named(Sample::machine(1), &["5", "GPU-ffff"])) else {
            panic!("it fails")
        };
        assert_eq!(two.len(), 2);
    }

    #[test]
    fn gpus_that_are_here_pass() {
        assert!(passes(judge(&named(Sample::machine(2), &["1", FIRST]))));
        assert!(skips(judge(&Sample::machine(1).facts())));
    }

    #[test]
    fn where_all_are_hidden_the_name_is_not_the_problem() {
        let none = Sample::machine(1).fault(None, Stage::DriverInit, fault("cuInit", 100));
        assert!(passes(judge(&named(none, &["5"]))));
    }
}
