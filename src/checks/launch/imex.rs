//! Memory cannot be shared between nodes: no IMEX channel.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::codes::Family;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.imex",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "Memory cannot be shared between nodes: no IMEX channel",
    why: "On machines whose NVLink reaches across nodes, allocations that are exported need a channel in \
          /dev/nvidia-caps-imex-channels. Without one cuMemCreate is not permitted.",
    remedy: "docker run -e NVIDIA_IMEX_CHANNELS=0 ...   with nvidia-imex running on the host; Kubernetes: a \
             ComputeDomain",
    explains: &[],
    codes: &[(Family::Driver, 800), (Family::Runtime, 800)],
    judge: unseen,
};
