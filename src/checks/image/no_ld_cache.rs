//! The loader does not know of the driver's libraries: /etc/ld.so.cache lacks them.

use crate::checks::{Check, Outcome};
use crate::checks::shared::loading::{BEYOND, unfound_problem};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "image.no-ld-cache",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The loader does not know of the driver's libraries: /etc/ld.so.cache lacks them",
    why: "Libraries that are mounted into a container are found through the loader's cache, which the NVIDIA \
          Container Toolkit writes with the image's ldconfig. Images without one (distroless, busybox) and old \
          toolkits leave it out.",
    remedy: "Upgrade the NVIDIA Container Toolkit on the host; or, with the directory of libcuda.so.1, in the \
             Dockerfile: ENV LD_LIBRARY_PATH=DIRECTORY",
    explains: BEYOND,
    codes: &[(Family::Runtime, 35)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    unfound_problem(facts, true)
}
