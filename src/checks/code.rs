//! GPU architectures that the image has device code for.

use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use image_audit::fatbin::DeviceCode;

family! {
    none_for_gpu
    ptx_only
    for_other_gpus
}

const NO_GPUS: &str = "no GPU is present or named with --arch";

const NO_CODE: &str = "no device code was found";

/// The device code that decides where the image runs: the framework's, else that of the whole image.
pub struct Deciding<'a> {
    pub code: &'a [DeviceCode],
    /// The framework's library.
    path: Option<&'a str>,
}

impl Deciding<'_> {
    /// A problem whose cause begins with the owner of the code, and the architectures as evidence.
    pub fn problem(&self, rest: &str) -> Problem {
        let list: Vec<&str> = self.code.iter().map(|code| code.arch.as_str()).collect();
        let list = list.join(", ");
        match self.path {
            Some(path) => Problem::new(format!("{path} {rest}")).at(path).file(path, &format!(": {list}")),
            None => Problem::new(format!("The image {rest}")).evidence(format!("device code: {list}")),
        }
    }
}

pub fn deciding(facts: &Facts) -> Option<Deciding<'_>> {
    let census = &facts.census;
    match &census.framework {
        Some(framework) if !framework.device_code.is_empty() => {
            Some(Deciding { code: &framework.device_code, path: Some(&framework.path) })
        }
        _ if !census.device_code.is_empty() => Some(Deciding { code: &census.device_code, path: None }),
        _ => None,
    }
}

/// Compute capabilities such as 90: those of `--arch`, else those of the GPUs that are present.
fn gpus(facts: &Facts) -> Vec<u32> {
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

fn each(facts: &Facts, judge: impl Fn(u32, &Deciding) -> Option<Problem>) -> Outcome {
    let gpus = gpus(facts);
    if gpus.is_empty() {
        return Outcome::Skip(NO_GPUS);
    }
    let Some(code) = deciding(facts) else { return Outcome::Skip(NO_CODE) };
    gpus.into_iter().filter_map(|gpu| judge(gpu, &code)).collect::<Vec<_>>().into()
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::facts::sample::Sample;
    use image_audit::census::Framework;
    use image_audit::fatbin::CodeKind;

    pub const TORCH: &str = "/site/torch/lib/libtorch_cuda.so";

    /// Device code of 100 MB each; `compute_` is PTX.
    pub fn code(archs: &[&str]) -> Vec<DeviceCode> {
        let one = |arch: &&str| {
            let kind = if arch.starts_with("sm") { CodeKind::Cubin } else { CodeKind::Ptx };
            DeviceCode { arch: arch.to_string(), kind, bytes: 100_000_000, images: 1, ptx_version: None }
        };
        archs.iter().map(one).collect()
    }

    /// An image with torch, audited for GPUs such as 90.
    pub fn image(archs: &[&str], gpus: &[u32]) -> Facts {
        let fill = |facts: &mut Facts| {
            facts.request.arch = gpus.to_vec();
            facts.census.device_code = code(archs);
            facts.census.framework = Some(Framework { path: TORCH.into(), device_code: code(archs) });
        };
        Sample::image().with(fill).facts()
    }
}
