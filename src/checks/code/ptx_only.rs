//! The image has only PTX for this GPU, so that its first start compiles.

use image_audit::fatbin::{CodeKind, runs_on};
use crate::checks::{Check, Outcome, Problem};
use crate::checks::code::each;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "code.ptx-only",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image has only PTX for this GPU, so that its first start compiles",
    why: "Without compiled code for its architecture the driver compiles PTX for the GPU when it is loaded. It takes \
          minutes, is kept in a cache that a read-only or fresh container loses, and needs the driver's PTX compiler.",
    remedy: "Install a build of the framework with code for this GPU, or keep the cache: -e CUDA_CACHE_PATH=/cache \
             -v cuda-cache:/cache -e CUDA_CACHE_MAXSIZE=4294967296",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |gpu, of, code| {
        let runs = |kind| code.iter().any(|code| code.kind == kind && runs_on(code, gpu));
        let only = runs(CodeKind::Ptx) && !runs(CodeKind::Cubin);
        only.then(|| Problem::new(format!("{of} has no compiled code for sm_{gpu}, only PTX.")))
    })
}
