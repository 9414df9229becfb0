//! The image has no code for this GPU.

use crate::checks::code::each;
use crate::checks::code::own::Runs;
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "code.none-for-gpu",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image has no code for this GPU",
    why: "Compiled code runs on GPUs of the same major compute capability and the same or a higher minor one. PTX can \
          be compiled for newer GPUs when it is loaded. With neither, the first kernel fails: no kernel image is \
          available for execution on the device.",
    remedy: "Install a release of the framework that supports this GPU (newer for a newer GPU, older for an older one), \
             or build it with TORCH_CUDA_ARCH_LIST",
    explains: &[],
    codes: &[(Library::Driver, 209), (Library::Runtime, 209)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |gpu, code| match code.on(gpu) {
        Runs::Few { images, of } => Some(code.too_little(gpu, images, of)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::code::samples::{TORCH, image};
    use crate::facts::sample::Sample;

    #[test]
    fn a_newer_gpu_without_ptx() {
        let Outcome::Fail(problems) = judge(&image(&["sm_80", "sm_90"], &[90, 120])) else { panic!() };
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].cause, "torch has neither code for sm_120 nor PTX that runs on it.");
        assert_eq!(problems[0].path.as_deref(), Some(TORCH));
        assert_eq!(problems[0].evidence[0].text, format!("{TORCH}: sm_80, sm_90"));
        assert!(matches!(judge(&image(&["sm_80", "compute_90"], &[120])), Outcome::Pass));
    }

    #[test]
    fn the_gpus_that_are_present_count() {
        let code = crate::checks::code::samples::code(&["sm_80"]);
        let facts = Sample::machine(1).with(|facts| facts.census.device_code = code).facts();
        let Outcome::Fail(problems) = judge(&facts) else { panic!() };
        assert!(
            problems[0].cause.starts_with("The image has neither code for sm_90"),
            "{}",
            problems[0].cause
        );
        assert!(matches!(judge(&image(&["sm_80"], &[])), Outcome::Skip(_)));
        assert!(matches!(judge(&image(&[], &[90])), Outcome::Skip(_)));
    }
}
