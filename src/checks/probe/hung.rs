//! Finds calls into GPU libraries that did not return before the deadline.

use crate::checks::probe::{each_run, for_gpu, prefix, with_output};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::probe::{Ending, ProbeRun};
use crate::facts::{Facts, gpu_selection};
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "probe.hung",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A call into a GPU library did not return",
    why: "The deadline passed while the probe waited for one call. Either the driver is hung, or the call takes \
          longer than --timeout allows: without persistence mode a driver needs seconds for each GPU, and cuInit \
          can wait 30 seconds for the fabric manager.",
    remedy: "Try again with --timeout 120s. If the same call hangs, run `dmesg | grep -i -e xid -e nvrm` on the host, \
             then reset the GPU or reboot the host",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each_run(facts, |run| hung_calls(facts, run))
}

fn hung_calls(facts: &Facts, run: &ProbeRun) -> Vec<Problem> {
    let timed_out = matches!(run.ending, Ending::TimedOut { .. });
    // A survey that gave up on one GPU finishes, and leaves that GPU's call open.
    if !timed_out && !run.finished() {
        return Vec::new();
    }
    let mut open = run.open_calls();
    // NVML also queries GPUs that this container does not use; those may hang.
    open.retain(|(stage, _, gpu)| {
        *stage != Stage::NvmlDevice || gpu.is_none_or(|gpu| gpu_selection::concerns(facts, gpu))
    });
    if open.is_empty() && timed_out && !run.finished() {
        let gpu = facts.gpu_of_run(run);
        let cause = format!("The probe{} did not finish within {:.2} s.", for_gpu(gpu.as_ref()), run.seconds);
        return vec![with_output(Problem::new(cause).gpu(gpu), run)];
    }
    let problem = |(stage, call, gpu): &(Stage, &str, Option<u32>)| {
        let gpu = gpu.map(|gpu| facts.gpu_of_stage(*stage, gpu));
        let cause = format!("{}{call} did not return within {:.1} s.", prefix(gpu.as_ref()), run.seconds);
        let mut problem = Problem::new(cause).gpu(gpu).evidence(format!("stage {stage}"));
        if let Ending::TimedOut { reaped: false } = run.ending {
            problem = problem.evidence("SIGKILL did not end the process: it is stuck in the kernel");
        }
        with_output(problem, run)
    };
    open.iter().map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Event;
    use crate::facts::sample::Sample;

    #[test]
    fn a_hung_call_names_its_gpu() {
        let sample = Sample::machine(4).hang(Some(3), Stage::Context, "cuDevicePrimaryCtxRetain");
        let problems = judge(&sample.facts()).problems();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].cause, "GPU 3: cuDevicePrimaryCtxRetain did not return within 14.5 s.");
        assert_eq!(problems[0].gpu.as_ref().and_then(|gpu| gpu.ordinal), Some(3));

        let survey = Sample::machine(1).hang(None, Stage::DriverInit, "cuInit");
        assert_eq!(judge(&survey.facts()).causes(), ["cuInit did not return within 14.5 s."]);
    }

    #[test]
    fn a_process_that_survives_sigkill_is_evidence() {
        let lines = |reaped| {
            let sample = Sample::machine(1).hang(None, Stage::DriverInit, "cuInit");
            let facts = sample.run(None, |run| run.ending = Ending::TimedOut { reaped }).facts();
            judge(&facts).problems().remove(0).evidence.len()
        };
        assert_eq!((lines(true), lines(false)), (1, 2));
    }

    #[test]
    fn a_survey_that_gave_up_on_one_gpu_counts_only_where_that_gpu_is_used() {
        let causes = |gpus: &[&str]| {
            let call = "nvmlDeviceGetName".to_owned();
            let open = Event::Enter { stage: Stage::NvmlDevice, call, gpu: Some(1) };
            let sample = Sample::machine(2).event(None, open);
            let named = gpus.iter().map(|gpu| (*gpu).into()).collect();
            judge(&sample.with(|facts| facts.request.gpus = named).facts()).causes()
        };
        assert_eq!(causes(&[]).len(), 1);
        assert_eq!(causes(&["1"]).len(), 1);
        assert!(causes(&["0"]).is_empty());
    }

    #[test]
    fn a_timeout_between_two_calls() {
        let sample = Sample::machine(1).run(None, |run| {
            run.events.retain(|event| *event != Event::Done);
            run.ending = Ending::TimedOut { reaped: true };
            run.seconds = 14.5;
        });
        assert_eq!(judge(&sample.facts()).causes(), ["The probe did not finish within 14.50 s."]);
    }

    #[test]
    fn a_crash_in_a_call_did_not_hang() {
        let sample = Sample::machine(1).hang(Some(0), Stage::Context, "cuDevicePrimaryCtxRetain");
        let crashed = sample.run(Some(0), |run| run.ending = Ending::Signalled { signal: 11 });
        assert!(judge(&crashed.facts()).causes().is_empty());
    }
}
