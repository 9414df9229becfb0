//! The driver's unified memory module has to be reloaded.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::node::{BEYOND, init};
use crate::checks::shared::nodes::open_attempts;
use crate::checks::shared::loading::libcuda_loaded;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Evidence, Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.uvm-wedged",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The driver's unified memory module has to be reloaded",
    why: "cuInit gives no reason, every node is right and opens. A module nvidia_uvm that did not survive a suspend of \
          the machine behaves so.",
    remedy: "On the host, with no program using a GPU: sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm",
    explains: BEYOND,
    codes: &[(Family::Driver, 999), (Family::Runtime, 999)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some((999, phrase)) = init(facts) else { return Outcome::Pass };
    let nodes: Vec<_> = open_attempts(facts).collect();
    let uvm = nodes.iter().any(|(path, errno)| *path == "/dev/nvidia-uvm" && errno.is_none());
    if !uvm || nodes.iter().any(|(_, errno)| errno.is_some()) {
        return Outcome::Pass;
    }
    let mut problem = Problem::new("cuInit fails without a reason, and every node opens.").evidence(phrase);
    problem.evidence.extend(libcuda_loaded(facts).iter().map(|path| Evidence::of(path, "")));
    Some(problem).into()
}
