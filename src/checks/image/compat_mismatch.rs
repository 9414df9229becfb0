//! Finds compatibility drivers that do not work with the kernel module's version.

use crate::checks::image::{COMPAT_CONSEQUENCES, init_refused};
use crate::checks::shared::loading::loads_compat;
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.compat-mismatch",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "cuda-compat does not match the kernel module",
    why: "CUDA error 803 means that libcuda and the kernel module do not match. Usually the loader finds a \
          forward-compatibility package (cuda-compat) before the driver's own libcuda: it works only if it is newer \
          than the driver, and only with the drivers that it supports.",
    remedy: "Remove /usr/local/cuda/compat from LD_LIBRARY_PATH and /etc/ld.so.conf.d: `RUN rm -f \
             /etc/ld.so.conf.d/*compat* && ldconfig`",
    explains: COMPAT_CONSEQUENCES,
    codes: &[(Library::Driver, 803), (Library::Runtime, 803)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    // Without a compatibility package the driver itself has two versions, which other checks find.
    if !loads_compat(facts) {
        return Outcome::Pass;
    }
    init_refused(facts, 803, |path| {
        format!("{path} is a compatibility driver that does not match the kernel module's version.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::image::tests::{COMPAT, DRIVER, refused_by};

    #[test]
    fn a_compatibility_driver_that_cuinit_refuses() {
        let problems = |path, code| judge(&refused_by(path, code)).problems();
        let found = problems(COMPAT, 803);
        assert_eq!(found[0].path.as_deref(), Some(COMPAT));
        let evidence: Vec<&str> = found[0].evidence.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(
            evidence,
            [
                "cuInit returned 803 (CUDA_ERROR_SYSTEM_DRIVER_MISMATCH).",
                &format!("{COMPAT} was loaded"),
                "kernel module 550.54.15"
            ]
        );
        assert!(problems(DRIVER, 803).is_empty());
        assert!(problems(COMPAT, 804).is_empty());
    }
}
