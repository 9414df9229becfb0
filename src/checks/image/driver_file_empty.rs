//! A driver library of the image is an empty file.

use image_audit::census::Copy;
use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::access::cuda_works;
use crate::checks::shared::driver_files::driver_copies;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.driver-file-empty",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A driver library of the image is an empty file",
    why: "The container runtime mounts the driver's libraries over empty files. An image that was built or \
          committed while they were mounted keeps those files, and the loader fails on them with 'file too short'.",
    remedy: "Delete the empty files in the Dockerfile and build the image without the NVIDIA runtime",
    explains: &["driver.load", "driver.nvml", "driver.nvml-failed", "probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    // Beside a driver that works an empty file is nobody's concern.
    if facts.request.running && cuda_works(facts) {
        return Outcome::Pass;
    }
    let empty: Vec<&Copy> = driver_copies(facts).filter(|copy| copy.bytes == 0).collect();
    let Some(first) = empty.first() else { return Outcome::Pass };
    let mut problem = Problem::new(format!("{} has no bytes.", first.path));
    for copy in &empty {
        problem = problem.evidence(format!("{}: 0 bytes", copy.path));
    }
    let files: Vec<&str> = empty.iter().map(|copy| copy.path.as_str()).collect();
    Some(problem.remedy(format!("RUN rm {}   and build without the NVIDIA runtime", files.join(" ")))).into()
}
