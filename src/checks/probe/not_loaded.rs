//! The image's loader could not load the probe.

use protocol::LOCK_TAKEN;
use crate::checks::{Check, Outcome, Problem};
use crate::checks::probe::{problems, signal_name, with_noise};

use crate::facts::Facts;
use crate::facts::probe::Ending;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "probe.not-loaded",
    severity: Severity::Unknown,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image's loader could not load the probe",
    why: "The probe is a small program for glibc. A loader that refuses it is too old, or only pretends to be \
          glibc's (gcompat).",
    remedy: "Use a release of cudacheck whose glibc floor the image meets (`cudacheck --version` prints it), or a \
             newer base image.",
    explains: &["probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    problems(facts, |run| match run.ending {
        Ending::Exited { code } if !run.said_hello() && code != LOCK_TAKEN => {
            let problem = Problem::new(format!("The probe exited with status {code} before its first word."));
            vec![with_noise(problem, run)]
        }
        Ending::Signalled { signal } if !run.said_hello() => {
            let problem =
                Problem::new(format!("The probe died of {} before its first word.", signal_name(signal)));
            vec![with_noise(problem, run)]
        }
        _ => Vec::new(),
    })
}
