//! Finds machines whose kernel module has a different version from the driver's libraries.

use crate::checks::shared::driver_files::{is_driver_of_image, version_mismatch};
use crate::checks::{Check, Outcome};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.driver-mismatch",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "Driver libraries and kernel module have different versions",
    why: "The driver was upgraded on the host while its old kernel module is still loaded, or this container still \
          has the old libraries. Both must have exactly the same version.",
    remedy: "Recreate the container; if `nvidia-smi` fails on the host as well, reboot it or reload the modules: `sudo \
             rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia`",
    explains: &[
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
    // For a driver that the image brought, image.driver-mismatch reports it.
    if is_driver_of_image(facts) { Outcome::Pass } else { version_mismatch(facts).into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::shared::driver_files::tests::with_libcuda;
    use crate::facts::sample::fault;
    use crate::model::Stage;

    #[test]
    fn the_owner_is_who_brought_the_libraries() {
        let causes = |mounted| {
            let sample = with_libcuda(mounted).fault(None, Stage::DriverInit, fault("cuInit", 803));
            judge(&sample.facts()).causes()
        };
        assert_eq!(causes(true).len(), 1);
        assert!(causes(false).is_empty());
    }
}
