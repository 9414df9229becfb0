//! The kernel has reported an Xid.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::codes::Family;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.xid",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The kernel has reported an Xid",
    why: "The driver writes each fault of a GPU to the kernel's log as an Xid. 13, 31, 43 and 45 come from the \
          application; 48, 63, 64 and 94 from memory; 74 from NVLink; 79 says that the GPU fell off the bus; 119 and \
          120 that its GSP does not answer. A container cannot read that log.",
    remedy: "On the host: sudo dmesg | grep -i xid   then what NVIDIA's catalogue of Xids says for the number",
    explains: &[],
    codes: &[(Family::Driver, 719), (Family::Runtime, 719)],
    judge: unseen,
};
