//! Finds probes that a signal ended inside a GPU library.

use crate::checks::probe::{
    SIGKILL, each_run, for_gpu, last_call, signal_name, with_last_library, with_output,
};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::probe::Ending;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "probe.crashed",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A GPU library crashed the probe process",
    why: "The probe loads the same libraries as an application, in a process of its own. A signal in one of them \
          would have killed the application as well.",
    remedy: "Check the library that was loaded last: it is usually from another CUDA release, or damaged. Rebuild the \
             image with one CUDA release",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

const RAISE_MEMORY: &str = "Raise the container's memory limit (`docker run --memory ...`, resources.limits.memory): \
                            the kernel kills processes that exceed it";

fn judge(facts: &Facts) -> Outcome {
    each_run(facts, |run| match run.ending {
        Ending::Signalled { signal } if run.said_hello() && !run.finished() => {
            let (place, gpu) = last_call(facts, run);
            let cause = format!("{} killed the probe{} {place}.", signal_name(signal), for_gpu(gpu.as_ref()));
            let mut problem = Problem::new(cause).gpu(gpu);
            // The supervisor sends no SIGKILL before the deadline, so that it comes from the kernel's OOM killer.
            if signal == SIGKILL {
                problem = problem.remedy(RAISE_MEMORY);
            }
            vec![with_output(with_last_library(problem, run), run)]
        }
        _ => Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::tests::{with_open_call, with_silent};
    use crate::facts::sample::Sample;

    #[test]
    fn a_signal_in_a_call_names_call_gpu_and_library() {
        let facts = with_open_call(Some(1), Ending::Signalled { signal: 11 });
        let problems = judge(&facts).problems();
        assert_eq!(problems.len(), 1);
        assert_eq!(
            problems[0].cause,
            "SIGSEGV (signal 11) killed the probe for GPU 1 in cuDevicePrimaryCtxRetain, stage context."
        );
        assert_eq!(problems[0].gpu.as_ref().and_then(|gpu| gpu.ordinal), Some(1));
        let path = problems[0].evidence[0].path.as_deref();
        assert_eq!(path, Some("/usr/local/cuda/lib64/libcublas.so.12"), "it was loaded last");
        assert_eq!(problems[0].remedy, None);
    }

    #[test]
    fn sigkill_is_the_kernel_short_of_memory() {
        let problems = judge(&with_open_call(None, Ending::Signalled { signal: SIGKILL })).problems();
        assert_eq!(problems[0].remedy.as_deref(), Some(RAISE_MEMORY));
    }

    #[test]
    fn a_signal_before_the_first_line_or_after_the_last_one_is_no_crash() {
        assert!(judge(&with_silent(Ending::Signalled { signal: 11 })).causes().is_empty());
        let finished = Sample::machine(1).run(None, |run| run.ending = Ending::Signalled { signal: 11 });
        assert!(judge(&finished.facts()).causes().is_empty());
    }
}
