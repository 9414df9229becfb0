//! libcuda and the kernel module do not fit each other.

use crate::checks::{Check, Outcome};
use crate::checks::shared::loading::{AFTER_INIT, after_init, has_compat};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.compat-mismatch",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "libcuda and the kernel module do not fit each other",
    why: "CUDA's number 803 says so. The usual reason is a forward-compatibility package (cuda-compat) that the \
          loader finds before the driver's own libcuda: it works only where it is newer than the driver, and only \
          with drivers of its table.",
    remedy: "Take /usr/local/cuda/compat out of LD_LIBRARY_PATH and /etc/ld.so.conf.d: RUN rm -f \
             /etc/ld.so.conf.d/*compat* && ldconfig",
    explains: AFTER_INIT,
    codes: &[(Family::Driver, 803), (Family::Runtime, 803)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    // Without a compatibility package the driver itself is in two versions, and that is told as such.
    if !has_compat(facts) {
        return Outcome::Pass;
    }
    after_init(facts, 803, |path| {
        format!("{path}, a compatibility package, does not go with the kernel module's version.")
    })
}
