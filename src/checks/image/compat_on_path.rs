//! Finds images whose LD_LIBRARY_PATH puts cuda-compat before the host's driver.

use crate::checks::image::on_library_path;
use crate::checks::{Check, Outcome};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.compat-on-path",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "LD_LIBRARY_PATH puts cuda-compat before the host's driver",
    why: "cuda-compat contains a newer libcuda for machines with an older kernel module, and supports only data center \
          GPUs. On other GPUs, or if the host's driver is newer, it fails with error 803 or 804. Where it helps, the \
          container runtime selects it without LD_LIBRARY_PATH.",
    remedy: "Remove the compat directory from ENV LD_LIBRARY_PATH",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    on_library_path(facts, "compat")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::image::tests::{COMPAT, with_library_path};

    #[test]
    fn the_directory_must_be_on_the_path() {
        let causes = |value| judge(&with_library_path(value, COMPAT).facts()).causes();
        assert_eq!(causes("/usr/local/cuda-12.6/compat").len(), 1);
        assert!(causes("/usr/local/cuda-12.6/lib64").is_empty());
    }
}
