//! The driver's libraries and its kernel module are of different versions.

use crate::checks::{Check, Outcome};
use crate::checks::node::mismatch;
use crate::checks::shared::driver_files::is_driver_of_image;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.driver-mismatch",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The driver's libraries and its kernel module are of different versions",
    why: "The driver was upgraded on the host while its old kernel module is still loaded, or this container still \
          has the libraries of before. Both must be of exactly one version.",
    remedy: "Recreate the container; if `nvidia-smi` fails on the host as well, reboot it or reload the modules: sudo \
             rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia && sudo modprobe nvidia",
    explains: &[
        "image.compat-mismatch",
        "driver.init",
        "driver.no-devices",
        "driver.nvml",
        "driver.nvml-failed",
        "probe.nothing-verified",
    ],
    codes: &[(Family::Nvml, 18), (Family::Driver, 803)],
    judge,
};


fn judge(facts: &Facts) -> Outcome {
    // A driver that is part of the image is the image's fault.
    if is_driver_of_image(facts) { Outcome::Pass } else { mismatch(facts).into() }
}
