//! MIG is enabled and there is no instance.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::shared::visible_devices::{NO_DEVICES_CONSEQUENCES, cuda_sees_none};
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::event::NvmlDevice;
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.mig-empty",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "MIG is enabled and there is no instance",
    why: "A GPU in MIG mode is offered to CUDA through its instances alone. Until one is made there is no device.",
    remedy: "On the host: sudo nvidia-smi mig -cgi PROFILE -C   (nvidia-smi mig -lgip lists profiles), or turn MIG \
             off: sudo nvidia-smi -mig 0",
    explains: NO_DEVICES_CONSEQUENCES,
    codes: &[(Family::Driver, 100), (Family::Runtime, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let mut gpus = facts.nvml_devices().peekable();
    let empty = |gpu: &NvmlDevice| gpu.mig_enabled.known() == Some(&true) && gpu.mig_devices.is_empty();
    // At the level nvml CUDA was not asked, and would have none of these.
    let without_cuda = facts.request.level == Level::Nvml;
    if gpus.peek().is_none() || !(without_cuda || cuda_sees_none(facts)) || !gpus.all(empty) {
        return Outcome::Pass;
    }
    Some(Problem::new("Every GPU here is in MIG mode, and NVML lists no instance.")).into()
}
