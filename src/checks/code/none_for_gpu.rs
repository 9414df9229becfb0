//! The image has no code for this GPU.

use image_audit::fatbin::runs_on;
use crate::checks::{Check, Outcome, Problem};
use crate::checks::code::each;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "code.none-for-gpu",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image has no code for this GPU",
    why: "Compiled code runs on GPUs of the same major compute capability and at least the same minor one; PTX can \
          be compiled for newer ones when it is loaded. With neither, the first kernel fails: no kernel image is \
          available for execution on the device.",
    remedy: "Install a release of the framework that was built for this GPU (newer ones for newer GPUs, older ones \
             for older), or build it with TORCH_CUDA_ARCH_LIST",
    explains: &[],
    codes: &[(Family::Driver, 209), (Family::Runtime, 209)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |gpu, of, code| {
        let runs = code.iter().any(|code| runs_on(code, gpu));
        (!runs)
            .then(|| Problem::new(format!("{of} has neither code for sm_{gpu} nor PTX that it could run.")))
    })
}
