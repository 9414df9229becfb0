//! Explains Xid errors in the kernel log.

use crate::checks::Check;
use crate::checks::shared::explain_only::unseen;
use crate::codes::Library;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.xid",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The kernel log contains an Xid error",
    why: "The driver writes each GPU error to the kernel log as an Xid. 13, 31, 43 and 45 come from the application; \
          48, 63, 64 and 94 from memory; 74 from NVLink; 79 means that the GPU fell off the bus; 119 and 120 that its \
          GSP does not respond. A container cannot read that log.",
    remedy: "On the host: `sudo dmesg | grep -i xid`; then look the number up in NVIDIA's Xid catalog",
    explains: &[],
    codes: &[(Library::Driver, 719), (Library::Runtime, 719)],
    judge: unseen,
};
