//! Finds probes that a library ended without a signal.

use crate::checks::probe::{each_run, last_call, with_last_library, with_output};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::probe::Ending;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "probe.ended-early",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The probe exited before it finished",
    why: "A library ended the process itself, without a signal. An application that loads it would exit just as \
          silently.",
    remedy: "Check what the library printed, and which library was loaded last",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each_run(facts, |run| match run.ending {
        Ending::Exited { code } if run.said_hello() && !run.finished() => {
            let (place, gpu) = last_call(facts, run);
            let problem = Problem::new(format!("The probe exited with status {code} {place}.")).gpu(gpu);
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
    fn an_exit_in_the_middle_is_found() {
        let problems = judge(&with_open_call(Some(1), Ending::Exited { code: 0 })).problems();
        assert_eq!(problems.len(), 1);
        assert_eq!(
            problems[0].cause,
            "The probe exited with status 0 in cuDevicePrimaryCtxRetain, stage context."
        );
        assert_eq!(problems[0].gpu.as_ref().and_then(|gpu| gpu.ordinal), Some(1));
    }

    #[test]
    fn an_exit_before_the_first_line_or_after_the_last_one_is_not() {
        assert!(judge(&with_silent(Ending::Exited { code: 127 })).causes().is_empty());
        assert!(judge(&Sample::machine(1).facts()).causes().is_empty());
    }
}
