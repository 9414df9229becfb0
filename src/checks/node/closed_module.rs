//! The driver is loaded and drives no GPU: it may need the open kernel module.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::node::init;
use crate::checks::shared::access::gpu_answered;
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.closed-module",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The driver is loaded and drives no GPU: it may need the open kernel module",
    why: "GPUs from Blackwell on are driven by the open kernel module alone. With the other one loaded, NVML and CUDA \
          start and find no device.",
    remedy: "On the host: lspci | grep -i nvidia   names the GPU; for Blackwell and newer install the open flavour \
             (nvidia-driver-NNN-open, or nvidia-open) and reboot",
    explains: &[
        "launch.visible-devices",
        "driver.init",
        "driver.no-devices",
        "driver.nvml",
        "driver.nvml-failed",
        "probe.nothing-verified",
    ],
    codes: &[(Family::Driver, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(module) = facts.host.module.as_ref().filter(|module| !module.open) else { return Outcome::Pass };
    let nvml_sees_none = facts.probes.iter().any(|run| run.nvml().any(|nvml| nvml.gpus == 0));
    let cuda_sees_none = matches!(init(facts), Some((100, _)))
        || facts.probes.iter().any(|run| run.driver().any(|driver| driver.devices == 0));
    if !nvml_sees_none || !(cuda_sees_none || facts.request.level == Level::Nvml) || gpu_answered(facts) {
        return Outcome::Pass;
    }
    let version = module.version.as_deref().unwrap_or("of unknown version");
    Some(
        Problem::new(format!("The driver {version} answers, NVML and CUDA count no GPU."))
            .evidence("/proc/driver/nvidia/version does not say 'Open Kernel Module'"),
    )
    .into()
}
