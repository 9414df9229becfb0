//! The container engine cannot resolve the requested CDI devices.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.cdi-unresolved",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The requested CDI devices do not exist",
    why: "The engine reports 'unresolvable CDI devices nvidia.com/gpu=all': there is no CDI specification, the user \
          cannot read it, or it does not list that device. The container never starts.",
    remedy: "On the host: `sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml && nvidia-ctk cdi list`",
    explains: &[],
    codes: &[],
    judge: unseen,
};
