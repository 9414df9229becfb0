//! The NVLink fabric is not ready.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::node::init;
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.fabric",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The NVLink fabric is not ready",
    why: "GPUs behind NVSwitch must be joined to the fabric by the fabric manager before CUDA may use them; \
          nvidia-smi works all the same. The manager is not installed, not running, or not of exactly the driver's \
          version.",
    remedy: "On the host: sudo systemctl start nvidia-fabricmanager   (same version as the driver: systemctl status \
             nvidia-fabricmanager says so); where confidential computing is on: nvidia-smi conf-compute -grs",
    explains: &[
        "device.fabric",
        "driver.init",
        "driver.no-devices",
        "driver.nvml",
        "probe.nothing-verified",
    ],
    codes: &[(Family::Driver, 802), (Family::Runtime, 802)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some((802, phrase)) = init(facts) else { return Outcome::Pass };
    let mut problem = Problem::new("CUDA says that the system is not ready.").evidence(phrase);
    for gpu in facts.probes.iter().flat_map(ProbeRun::nvml_devices) {
        if let Some(fabric) = gpu.fabric.known() {
            problem = problem
                .evidence(format!("GPU {}: fabric {}, status {}", gpu.index, fabric.state, fabric.status));
        }
    }
    Some(problem).into()
}
