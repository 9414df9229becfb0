//! A call into the GPU's libraries did not return.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::probe::{of, problems, with_noise};
use crate::facts::{Facts, gpu_selection};
use crate::facts::probe::{Ending, ProbeRun};
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "probe.hung",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A call into the GPU's libraries did not return",
    why: "The deadline passed while the probe waited for one call. Either the driver is wedged, or the call is \
          slower than --timeout allows: a driver without persistence mode needs seconds for each GPU, and cuInit \
          can wait 30 seconds for a fabric manager.",
    remedy: "Try again with --timeout 120s. If the same call hangs, look at `dmesg | grep -i -e xid -e nvrm` on \
             the host and reset or reboot it.",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let hung = |run: &ProbeRun| {
        let timed_out = matches!(run.ending, Ending::TimedOut { .. });
        // A survey that gave up on one GPU has finished, and left that GPU's call open.
        if !timed_out && !run.finished() {
            return Vec::new();
        }
        let mut open = run.open_calls();
        // A GPU that this call is not about may hang as it likes.
        open.retain(|(stage, _, gpu)| {
            *stage != Stage::NvmlDevice || gpu.is_none_or(|gpu| gpu_selection::concerns(facts, gpu))
        });
        let late = open.iter().map(|(stage, call, gpu)| {
            let seconds = run.seconds;
            let gpu = gpu.map(|gpu| facts.gpu_of_stage(*stage, gpu));
            let which = of(gpu.as_ref());
            let problem = Problem::new(format!("{call} did not return{which} within {seconds:.1} s."))
                .gpu(gpu)
                .evidence(format!("stage {stage}"));
            let problem = match run.ending {
                Ending::TimedOut { reaped: false } => {
                    problem.evidence("SIGKILL did not end the process: it is stuck in the kernel")
                }
                _ => problem,
            };
            with_noise(problem, run)
        });
        let late: Vec<Problem> = late.collect();
        if late.is_empty() && timed_out && !run.finished() {
            return vec![with_noise(
                Problem::new(format!(
                    "The probe{} did not come to its end within {:.2} s.",
                    of(facts.gpu_of_run(run).as_ref()),
                    run.seconds
                ))
                .gpu(facts.gpu_of_run(run)),
                run,
            )];
        }
        late
    };
    problems(facts, hung)
}
