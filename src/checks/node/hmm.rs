//! The driver cannot initialise its unified memory.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::node::{BEYOND, init};
use crate::checks::shared::nodes::open_attempts;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.hmm",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The driver cannot initialise its unified memory",
    why: "cuInit says 'not initialised', while the nodes open and nvidia-smi works. With some pairs of kernel and \
          open kernel module, setting up heterogeneous memory management (HMM) fails in this way.",
    remedy: "On the host: echo 'options nvidia_uvm uvm_disable_hmm=1' | sudo tee /etc/modprobe.d/nvidia-uvm.conf && \
             sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm",
    explains: BEYOND,
    codes: &[(Family::Driver, 3), (Family::Runtime, 3)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some((3, phrase)) = init(facts) else { return Outcome::Pass };
    let module = facts.host.module.as_ref().filter(|module| module.open);
    let uvm = open_attempts(facts).any(|(path, errno)| path == "/dev/nvidia-uvm" && errno.is_none());
    if module.is_none() || !uvm {
        return Outcome::Pass;
    }
    let mut problem = Problem::new(
        "cuInit fails with the open kernel module though its nodes open; HMM is the known reason.",
    )
    .evidence(phrase);
    match module.and_then(|module| module.hmm_disabled) {
        Some(true) => {
            problem = problem.evidence("uvm_disable_hmm is set already").remedy(
                "HMM is off already: compare kernel and driver release on the host, and look at dmesg | grep -i uvm",
            );
        }
        Some(false) => problem = problem.evidence("uvm_disable_hmm=N"),
        None => {}
    }
    Some(problem.evidence(format!("kernel {}", facts.host.kernel))).into()
}
