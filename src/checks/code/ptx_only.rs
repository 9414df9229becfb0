//! The image has only PTX for this GPU.

use crate::checks::code::each;
use crate::checks::code::own::Runs;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "code.ptx-only",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image has only PTX for this GPU",
    why: "Without compiled code for the GPU, the driver compiles the PTX when it is loaded. The first start takes \
          minutes, a new or read-only container has no cache, and the driver's PTX compiler must be present.",
    remedy: "Install a build of the framework with code for this GPU, or keep the cache: `docker run -e \
             CUDA_CACHE_PATH=/cache -v cuda-cache:/cache -e CUDA_CACHE_MAXSIZE=4294967296 ...`",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |gpu, code| {
        let only = matches!(code.on(gpu), Runs::Ptx { .. });
        only.then(|| code.problem(&format!("has only PTX for sm_{gpu}, no compiled code.")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::code::samples::{TORCH, image};

    #[test]
    fn ptx_without_compiled_code() {
        let Outcome::Fail(problems) = judge(&image(&["sm_80", "compute_80"], &[80, 90])) else { panic!() };
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].cause, "torch has only PTX for sm_90, no compiled code.");
        assert_eq!(problems[0].path.as_deref(), Some(TORCH));
        assert!(matches!(judge(&image(&["sm_80", "sm_90", "compute_80"], &[80, 90])), Outcome::Pass));
        assert!(matches!(judge(&image(&["sm_80"], &[90])), Outcome::Pass), "code.none-for-gpu reports it");
    }
}
