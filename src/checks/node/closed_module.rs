//! Finds machines whose proprietary kernel module drives no GPU, as happens with GPUs that need the open one.

use crate::checks::shared::access::gpu_answered;
use crate::checks::shared::faults::init_failure;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "node.closed-module",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The GPU may need the open kernel module",
    why: "Only the open kernel module supports GPUs from Blackwell on. With the proprietary module loaded, NVML and \
          CUDA start but find no device.",
    remedy: "On the host: identify the GPU (`lspci | grep -i nvidia`); for Blackwell and newer, install the open \
             kernel module (nvidia-driver-NNN-open, or nvidia-open) and reboot",
    explains: &[
        "launch.visible-devices",
        "driver.init",
        "driver.no-devices",
        "driver.nvml",
        "driver.nvml-failed",
        "probe.nothing-verified",
    ],
    codes: &[(Library::Driver, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(module) = facts.host.module.as_ref().filter(|module| !module.open) else { return Outcome::Pass };
    let nvml_sees_none = facts.probes.iter().any(|run| run.nvml().any(|nvml| nvml.gpus == 0));
    let cuda_sees_none = matches!(init_failure(facts), Some((100, _)))
        || facts.probes.iter().any(|run| run.driver().any(|driver| driver.devices == 0));
    if !nvml_sees_none || !(cuda_sees_none || facts.request.level == Level::Nvml) || gpu_answered(facts) {
        return Outcome::Pass;
    }
    let version = module.version.as_deref().unwrap_or("of unknown version");
    Some(
        Problem::new(format!("Driver {version} is loaded, but NVML and CUDA find no GPU."))
            .evidence("no 'Open Kernel Module' in /proc/driver/nvidia/version"),
    )
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::event::Event;
    use crate::facts::sample::{Sample, fault};
    use crate::model::Stage;

    /// NVML lists no GPU, and CUDA has no device.
    fn without_gpus(open: bool, level: Level) -> Sample {
        Sample::machine(0)
            .level(level)
            .host(|host| host.module.iter_mut().for_each(|module| module.open = open))
    }

    #[test]
    fn the_proprietary_module_without_a_gpu() {
        let causes = |sample: Sample| judge(&sample.facts()).causes();
        for level in [Level::Nvml, Level::Driver] {
            assert_eq!(
                causes(without_gpus(false, level)),
                ["Driver 550.54.15 is loaded, but NVML and CUDA find no GPU."],
                "{level}"
            );
            assert!(causes(without_gpus(true, level)).is_empty(), "{level}: the open module");
        }
        let no_device =
            without_gpus(false, Level::Driver).fault(None, Stage::DriverInit, fault("cuInit", 100));
        assert_eq!(causes(no_device).len(), 1);
        let other = without_gpus(false, Level::Driver).fault(None, Stage::DriverInit, fault("cuInit", 999));
        assert!(causes(other).is_empty());
    }

    #[test]
    fn nvml_that_lists_a_gpu_supports_it() {
        let sample =
            Sample::machine(1).host(|host| host.module.iter_mut().for_each(|module| module.open = false));
        let sample = sample.run(None, |run| {
            run.events.retain(|event| !matches!(event, Event::Device(_)));
            run.events.iter_mut().for_each(|event| {
                if let Event::Driver(driver) = event {
                    driver.devices = 0;
                }
            });
        });
        assert!(judge(&sample.facts()).causes().is_empty());
    }
}
