//! Finds compatibility drivers on GPUs that do not support them.

use crate::checks::image::{COMPAT_CONSEQUENCES, init_refused};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.compat-unsupported",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "This GPU does not support forward compatibility",
    why: "A libcuda that is newer than the kernel module works on data center GPUs and some workstation GPUs. On \
          GeForce, the driver returns error 804.",
    remedy: "Upgrade the driver on the host, or use an image with an older CUDA. Without rebuilding: `docker run -e \
             LD_LIBRARY_PATH= ...`, or disable the toolkit's cuda-compat-mode on the host",
    explains: COMPAT_CONSEQUENCES,
    codes: &[(Library::Driver, 804), (Library::Runtime, 804)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    init_refused(facts, 804, |path| {
        format!("{path} is newer than the kernel module, which this GPU does not support.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::image::tests::{COMPAT, refused_by};

    #[test]
    fn a_gpu_without_forward_compatibility() {
        let causes = |code| judge(&refused_by(COMPAT, code)).causes();
        assert_eq!(
            causes(804),
            [format!("{COMPAT} is newer than the kernel module, which this GPU does not support.")]
        );
        assert!(causes(803).is_empty());
    }
}
