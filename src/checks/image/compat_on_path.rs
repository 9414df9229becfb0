//! LD_LIBRARY_PATH puts the compatibility driver in front of the machine's.

use crate::checks::{Check, Outcome};
use crate::checks::shared::driver_files::elements;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.compat-on-path",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "LD_LIBRARY_PATH puts the compatibility driver in front of the machine's",
    why: "cuda-compat holds a newer libcuda for machines whose kernel module is older, on data-center GPUs alone. \
          On other GPUs, and where the machine's driver is newer, it fails with error 803 or 804. The container \
          runtime chooses it by itself where it helps.",
    remedy: "Take the compat directory out of ENV LD_LIBRARY_PATH",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    elements(facts, "compat")
}
