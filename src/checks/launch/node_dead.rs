//! No driver answers behind the GPU's nodes.

use crate::checks::{Check, Outcome};
use crate::checks::shared::access::{EACCES, EPERM, errno_name};
use crate::checks::shared::nodes::{BEYOND, of_kind};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.node-dead",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "No driver answers behind the GPU's nodes",
    why: "Opening the nodes fails with ENXIO, ENODEV or EIO: the driver that made them is not loaded any more, was \
          loaded again with other numbers, or has lost its GPU.",
    remedy: "Recreate the container, so that it gets the nodes of the driver that runs now. If that does not help, \
             look at `nvidia-smi` and `dmesg | grep -i -e nvrm -e xid` on the host",
    explains: BEYOND,
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    of_kind(facts, |path, errno| {
        (![EPERM, EACCES].contains(&errno))
            .then(|| format!("Opening {path} fails with {}.", errno_name(errno)))
    })
}
