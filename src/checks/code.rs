//! GPU architectures that the image has code for.

use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use image_audit::fatbin::DeviceCode;

family! {
    none_for_gpu
    ptx_only
    for_other_gpus
}

pub const NO_GPUS: &str = "no GPU is present, and none was named by --arch";

pub const NO_CODE: &str = "no device code was found";

/// Compute capabilities as numbers such as 90.
pub fn gpus(facts: &Facts) -> Vec<u32> {
    if !facts.request.arch.is_empty() {
        return facts.request.arch.clone();
    }
    let devices = facts.probes.iter().flat_map(ProbeRun::devices);
    let mut gpus: Vec<u32> = devices
        .filter_map(|device| u32::try_from(device.capability.0 * 10 + device.capability.1).ok())
        .collect();
    gpus.sort();
    gpus.dedup();
    gpus
}

/// The code that decides, and what it is of.
pub fn deciding(facts: &Facts) -> Option<(&str, &[DeviceCode])> {
    let census = &facts.census;
    match &census.framework {
        Some(framework) if !framework.device_code.is_empty() => {
            Some((&framework.path, &framework.device_code))
        }
        _ if !census.device_code.is_empty() => Some(("the image", &census.device_code)),
        _ => None,
    }
}

pub fn each(facts: &Facts, judge: impl Fn(u32, &str, &[DeviceCode]) -> Option<Problem>) -> Outcome {
    let gpus = gpus(facts);
    if gpus.is_empty() {
        return Outcome::Skip(NO_GPUS);
    }
    let Some((of, code)) = deciding(facts) else { return Outcome::Skip(NO_CODE) };
    let has: Vec<&str> = code.iter().map(|code| code.arch.as_str()).collect();
    let problem = |gpu: &u32| Some(judge(*gpu, of, code)?.evidence(format!("it has {}", has.join(", "))));
    gpus.iter().filter_map(problem).collect::<Vec<_>>().into()
}
