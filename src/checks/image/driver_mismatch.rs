//! Finds images whose driver has a different version from the machine's kernel module.

use crate::checks::shared::driver_files::{is_driver_of_image, version_mismatch};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.driver-mismatch",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image's driver does not match the kernel module",
    why: "A driver package was installed in the image, and its libraries are loaded instead of the machine's. They \
          work only with a kernel module of exactly their own version.",
    remedy: "Do not install driver packages (libcuda1, libnvidia-compute-*, nvidia-driver-*) in the Dockerfile, and \
             remove those that are there",
    explains: &[
        "image.driver-baked-in",
        "image.compat-mismatch",
        "driver.init",
        "driver.no-devices",
        "driver.nvml",
        "driver.nvml-failed",
        "probe.nothing-verified",
    ],
    codes: &[(Library::Nvml, 18), (Library::Driver, 803)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    // For a driver that was mounted, node.driver-mismatch reports it.
    if is_driver_of_image(facts) { version_mismatch(facts).into() } else { Outcome::Pass }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::shared::driver_files::tests::with_libcuda;
    use crate::facts::event::Api;
    use crate::facts::sample::of_api;
    use crate::model::Stage;

    #[test]
    fn the_owner_is_who_brought_the_libraries() {
        let causes = |mounted| {
            let mismatch = of_api(Api::Nvml, "nvmlInit_v2", 18);
            judge(&with_libcuda(mounted).fault(None, Stage::NvmlInit, mismatch).facts()).causes()
        };
        assert_eq!(causes(false).len(), 1);
        assert!(causes(true).is_empty());
    }
}
