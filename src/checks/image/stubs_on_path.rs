//! LD_LIBRARY_PATH leads to stubs.

use crate::checks::{Check, Outcome};
use crate::checks::shared::access::cuda_works;
use crate::checks::shared::driver_files::elements;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.stubs-on-path",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "LD_LIBRARY_PATH leads to stubs",
    why: "A toolkit's stubs/ directory is for linking where there is no driver. On LD_LIBRARY_PATH its libcuda is \
          loaded in the place of the driver's, and answers every call with error 34.",
    remedy: "Take the stubs directory out of ENV LD_LIBRARY_PATH; for linking use LIBRARY_PATH",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if facts.request.running && cuda_works(facts) {
        return Outcome::Pass;
    }
    elements(facts, "stubs")
}
