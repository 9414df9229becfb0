//! gVisor does not pass the GPU through.

use crate::checks::{Check, Outcome};
use crate::checks::shared::platform::{BEYOND, unusable};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.gvisor",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "gVisor does not pass the GPU through",
    why: "In gVisor the driver's calls go through nvproxy, which has to be turned on and knows listed versions of \
          the driver alone.",
    remedy: "On the host: runsc with --nvproxy=true, and a driver that `runsc nvproxy list-supported-drivers` names \
             (--nvproxy-allow-unsupported-driver tries others)",
    explains: BEYOND,
    codes: &[(Family::Driver, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    unusable(facts, facts.host.platform.gvisor, "The kernel is gVisor's, and no GPU answers through it.")
}
