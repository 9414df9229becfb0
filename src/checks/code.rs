//! GPU architectures that the image has device code for.

use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;

pub mod needs;
pub mod own;

use own::OwnCode;

family! {
    none_for_gpu
    zstd_fatbin
    ptx_only
    for_other_gpus
}

const NO_GPUS: &str = "no GPU is present or named with --arch";

const NO_CODE: &str = "no device code was found";

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

/// Judges the code of each installation on each GPU; that of the whole image if there is no installation.
fn each(facts: &Facts, judge: impl Fn(u32, &OwnCode) -> Option<Problem>) -> Outcome {
    let gpus = gpus(facts);
    if gpus.is_empty() {
        return Outcome::Skip(NO_GPUS);
    }
    let mut codes: Vec<OwnCode> =
        facts.census.frameworks.iter().map(|framework| OwnCode::of(facts, framework)).collect();
    if codes.is_empty() {
        codes.extend(OwnCode::whole(&facts.census));
    }
    if codes.is_empty() {
        return Outcome::Skip(NO_CODE);
    }
    let mut problems: Vec<Problem> = Vec::new();
    for problem in codes.iter().flat_map(|code| gpus.iter().filter_map(|gpu| judge(*gpu, code))) {
        Problem::merge(&mut problems, problem);
    }
    problems.into()
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::facts::sample::Sample;
    use image_audit::census::{CodeObject, Framework};
    use image_audit::fatbin::{CodeKind, DeviceCode};

    pub const TORCH: &str = "/site/torch/lib/libtorch_cuda.so";

    /// Device code of 100 MB each; `compute_` is PTX.
    pub fn code(archs: &[&str]) -> Vec<DeviceCode> {
        let one = |arch: &&str| {
            let kind = if arch.starts_with("sm") { CodeKind::Cubin } else { CodeKind::Ptx };
            let arch = arch.to_string();
            DeviceCode { arch, kind, bytes: 100_000_000, images: 1, ptx_version: None, zstd: 0 }
        };
        archs.iter().map(one).collect()
    }

    /// An image with torch, audited for GPUs such as 90.
    pub fn image(archs: &[&str], gpus: &[u32]) -> Facts {
        let fill = |facts: &mut Facts| {
            facts.request.arch = gpus.to_vec();
            facts.census.device_code = code(archs);
            let objects = vec![CodeObject { path: TORCH.into(), device_code: code(archs) }];
            let torch = Framework { name: "torch".into(), version: None, objects, uses: Vec::new() };
            facts.census.frameworks = if archs.is_empty() { Vec::new() } else { vec![torch] };
        };
        Sample::image().with(fill).facts()
    }
}
