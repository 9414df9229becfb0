//! The container has no IMEX channel, and cannot share GPU memory with other nodes.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::codes::Library;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.imex",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "No IMEX channel to share memory between nodes",
    why: "On machines whose NVLink domain spans nodes, exported allocations need a channel in \
          /dev/nvidia-caps-imex-channels. Without one, cuMemCreate is not permitted.",
    remedy: "`docker run -e NVIDIA_IMEX_CHANNELS=0 ...` with nvidia-imex running on the host (Kubernetes: a \
             ComputeDomain)",
    explains: &[],
    codes: &[(Library::Driver, 800), (Library::Runtime, 800)],
    judge: unseen,
};
