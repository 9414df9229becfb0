//! A GPU is not yet part of its NVLink fabric.

use crate::checks::{Check, Outcome};
use crate::checks::device::health;
use crate::facts::{Facts, gpu_selection};
use crate::facts::event::NvmlDevice;
use crate::facts::probe::ProbeRun;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "device.fabric",
    severity: Severity::Warning,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "A GPU is not yet part of its NVLink fabric",
    why: "GPUs behind NVSwitch must be registered by the fabric manager before CUDA can use them.",
    remedy: "On the host: sudo systemctl start nvidia-fabricmanager, of exactly the driver's version",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    // A GPU on which a kernel has run needs no fabric, whatever its state says.
    let works = |gpu: &NvmlDevice| {
        let Some(gpu) = gpu_selection::chosen(facts, gpu) else { return false };
        let is = |run: &ProbeRun| facts.gpu_of_run(run).is_some_and(|of| of.is_same(&gpu));
        facts.probes.iter().any(|run| is(run) && run.smoke().next().is_some())
    };
    health(facts, |gpu| {
        if works(gpu) {
            return None;
        }
        let fabric = gpu.fabric.known()?;
        match fabric.state.as_str() {
            "in-progress" | "not-started" => Some(format!("the fabric's state is {}.", fabric.state)),
            "completed" if fabric.status != 0 => {
                Some(format!("joining the fabric ended with NVML status {}.", fabric.status))
            }
            _ => None,
        }
    })
}
