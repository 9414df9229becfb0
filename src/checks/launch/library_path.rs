//! The driver's libraries are in a directory that the loader does not search.

use crate::checks::{Check, Outcome};
use crate::checks::shared::loading::{Directory, LOAD_CONSEQUENCES, not_searched};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.library-path",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "The driver's libraries are in a directory that the loader does not search",
    why: "Some platforms (GKE above all) mount the driver at a place of their own and leave it to the image to look \
          there: older CUDA images set LD_LIBRARY_PATH for that, newer ones do not.",
    remedy: "In the Dockerfile: ENV LD_LIBRARY_PATH=/usr/local/nvidia/lib64${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}",
    explains: LOAD_CONSEQUENCES,
    codes: &[(Family::Runtime, 35)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    not_searched(facts, Directory::Other)
}
