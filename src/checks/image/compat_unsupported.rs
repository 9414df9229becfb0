//! Forward compatibility was tried on a GPU that does not support it.

use crate::checks::{Check, Outcome};
use crate::checks::shared::loading::{AFTER_INIT, after_init};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.compat-unsupported",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Forward compatibility was tried on a GPU that does not support it",
    why: "A newer libcuda over an older kernel module works on data-center GPUs and some workstation ones. On GeForce \
          the driver answers with 804.",
    remedy: "Upgrade the driver on the host, or use an image of an older CUDA. Without rebuilding: docker run -e \
             LD_LIBRARY_PATH= ...   or, on the host, disable the toolkit's cuda-compat-mode",
    explains: AFTER_INIT,
    codes: &[(Family::Driver, 804), (Family::Runtime, 804)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    after_init(facts, 804, |path| {
        format!("{path} is newer than the kernel module, and this GPU does not allow that.")
    })
}
