//! The integrated GPU of this Jetson is not usable here.

use crate::checks::{Check, Outcome};
use crate::checks::shared::platform::{BEYOND, unusable};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.jetson",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The integrated GPU of this Jetson is not usable here",
    why: "On Tegra the driver is given by --runtime nvidia, file by file, and its nodes (/dev/nvmap, /dev/nvhost-*) \
          belong to the group video. --gpus does not bring them on all releases.",
    remedy: "docker run --runtime nvidia --group-add video -e NVIDIA_VISIBLE_DEVICES=all ...",
    explains: BEYOND,
    codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let process = &facts.host.process;
    let cause = if process.uid == 0 {
        "The nodes of Tegra are here, and CUDA finds no device through them.".to_owned()
    } else {
        format!("The nodes of Tegra are here, and user {} finds no device through them.", process.uid)
    };
    unusable(facts, facts.host.platform.jetson, &cause)
}
