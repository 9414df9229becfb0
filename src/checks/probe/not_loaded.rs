//! Finds images whose loader cannot load the probe.

use crate::checks::probe::{each_run, signal_name, with_output};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::probe::Ending;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "probe.not-loaded",
    severity: Severity::Unknown,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image's loader cannot load the probe",
    why: "The probe is a small glibc program. A loader that refuses it is too old, only imitates glibc's loader \
          (gcompat), or does not find libgcc_s.so.1, which a probe that was built on Debian needs.",
    remedy: "Use a build of cudacheck by its Dockerfile.example, whose probe needs no libgcc_s.so.1 and an older glibc \
             (`cudacheck --version` prints the minimum), or a newer base image",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each_run(facts, |run| {
        let ending = match run.ending {
            _ if run.said_hello() => return Vec::new(),
            Ending::Exited { code } => format!("exited with status {code}"),
            Ending::Signalled { signal } => format!("was killed by {}", signal_name(signal)),
            _ => return Vec::new(),
        };
        vec![with_output(Problem::new(format!("The probe {ending} before its first line of output.")), run)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::probe::tests::{with_open_call, with_silent};

    #[test]
    fn a_probe_that_ends_without_a_word_was_not_loaded() {
        let causes = |ending| judge(&with_silent(ending)).causes();
        assert_eq!(
            causes(Ending::Exited { code: 127 }),
            ["The probe exited with status 127 before its first line of output."]
        );
        assert_eq!(
            causes(Ending::Signalled { signal: 11 }),
            ["The probe was killed by SIGSEGV (signal 11) before its first line of output."]
        );
        assert!(causes(Ending::LockTaken).is_empty(), "another probe holds the lock");
        assert!(causes(Ending::TimedOut { reaped: true }).is_empty());
    }

    #[test]
    fn a_probe_that_wrote_something_was_loaded() {
        assert!(judge(&with_open_call(None, Ending::Exited { code: 1 })).causes().is_empty());
        assert!(judge(&with_open_call(None, Ending::Signalled { signal: 11 })).causes().is_empty());
    }
}
