//! The image brings a driver of another version than the machine's kernel module.

use crate::checks::{Check, Outcome};
use crate::checks::node::mismatch;
use crate::checks::shared::driver_files::is_driver_of_image;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.driver-mismatch",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The image brings a driver of another version than the machine's kernel module",
    why: "A driver package was installed in the image, and its libraries are loaded in the place of the \
          machine's. They work with a kernel module of exactly their own version.",
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
    codes: &[(Family::Nvml, 18), (Family::Driver, 803)],
    judge,
};

/// The image brings driver libraries of its own.
fn judge(facts: &Facts) -> Outcome {
    if is_driver_of_image(facts) { mismatch(facts).into() } else { Outcome::Pass }
}
