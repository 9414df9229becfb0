//! The CDI devices that were asked for do not exist.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.cdi-unresolved",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The CDI devices that were asked for do not exist",
    why: "The engine says 'unresolvable CDI devices nvidia.com/gpu=all': there is no CDI specification, it is not \
          readable for the user, or it does not list that device. The container never starts.",
    remedy: "On the host: sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml && nvidia-ctk cdi list",
    explains: &[],
    codes: &[],
    judge: unseen,
};
