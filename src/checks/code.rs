//! Device code: whether the image has code for the GPUs, and how much of it is for others.
//!
//! The GPUs are those that were named, else those that are present. An architecture that one small
//! library lacks says little; what counts is the framework, or, where there is none, the image as a whole.

use super::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::probe::ProbeRun;
use crate::model::{Fix, Owner, Severity};
use image_audit::fatbin::{CodeKind, DeviceCode, runs_on};

pub const CHECKS: &[Check] = &[
    Check {
        id: "code.none-for-gpu",
        severity: Severity::Error,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The image has no code for this GPU",
        why: "Compiled code runs on GPUs of the same major compute capability and at least the same minor one; PTX can \
              be compiled for newer ones when it is loaded. With neither, the first kernel fails: no kernel image is \
              available for execution on the device.",
        remedy: "Install a release of the framework that was built for this GPU (newer ones for newer GPUs, older ones \
                 for older), or build it with TORCH_CUDA_ARCH_LIST",
        explains: &[],
        codes: &[(Family::Driver, 209), (Family::Runtime, 209)],
        judge: none_for_gpu,
    },
    Check {
        id: "code.ptx-only",
        severity: Severity::Warning,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "The image has only PTX for this GPU, so that its first start compiles",
        why: "Without compiled code for its architecture the driver compiles PTX for the GPU when it is loaded. It takes \
              minutes, is kept in a cache that a read-only or fresh container loses, and needs the driver's PTX compiler.",
        remedy: "Install a build of the framework with code for this GPU, or keep the cache: -e CUDA_CACHE_PATH=/cache \
                 -v cuda-cache:/cache -e CUDA_CACHE_MAXSIZE=4294967296",
        explains: &[],
        codes: &[],
        judge: ptx_only,
    },
    Check {
        id: "code.for-other-gpus",
        severity: Severity::Note,
        owner: Owner::Image,
        fix: Fix::Rebuild,
        title: "Most of the device code is for other GPUs",
        why: "Frameworks are built for many generations of GPUs. Code for the others is shipped, stored and pulled, and \
              never runs. It cannot be cut out of finished libraries; a build for the GPUs at hand has none of it.",
        remedy: "Nothing to do, unless size matters: then build the framework for these GPUs alone \
                 (TORCH_CUDA_ARCH_LIST=9.0)",
        explains: &[],
        codes: &[],
        judge: for_other_gpus,
    },
];

/// Compute capabilities as numbers such as 90.
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

const NO_GPUS: &str = "no GPU is present, and none was named by --arch";
const NO_CODE: &str = "no device code was found";

fn none_for_gpu(facts: &Facts) -> Outcome {
    each(facts, |gpu, of, code| {
        let runs = code.iter().any(|code| runs_on(code, gpu));
        (!runs)
            .then(|| Problem::new(format!("{of} has neither code for sm_{gpu} nor PTX that it could run.")))
    })
}

fn ptx_only(facts: &Facts) -> Outcome {
    each(facts, |gpu, of, code| {
        let runs = |kind| code.iter().any(|code| code.kind == kind && runs_on(code, gpu));
        let only = runs(CodeKind::Ptx) && !runs(CodeKind::Cubin);
        only.then(|| Problem::new(format!("{of} has no compiled code for sm_{gpu}, only PTX.")))
    })
}

fn each(facts: &Facts, judge: impl Fn(u32, &str, &[DeviceCode]) -> Option<Problem>) -> Outcome {
    let gpus = gpus(facts);
    if gpus.is_empty() {
        return Outcome::Skip(NO_GPUS);
    }
    let Some((of, code)) = deciding(facts) else { return Outcome::Skip(NO_CODE) };
    let has: Vec<&str> = code.iter().map(|code| code.arch.as_str()).collect();
    let problem = |gpu: &u32| Some(judge(*gpu, of, code)?.evidence(format!("it has {}", has.join(", "))));
    gpus.iter().filter_map(problem).collect::<Vec<_>>().into()
}

fn for_other_gpus(facts: &Facts) -> Outcome {
    let gpus = gpus(facts);
    if gpus.is_empty() {
        return Outcome::Skip(NO_GPUS);
    }
    let code = &facts.census.device_code;
    let runs = |code: &&DeviceCode| gpus.iter().any(|gpu| runs_on(code, *gpu));
    let total: u64 = code.iter().map(|code| code.bytes).sum();
    let other: u64 = code.iter().filter(|code| !runs(code)).map(|code| code.bytes).sum();
    if total == 0 {
        return Outcome::Skip(NO_CODE);
    }
    // Less than that is not worth a word.
    if other < 500_000_000 || other * 2 < total {
        return Outcome::Pass;
    }
    let names: Vec<String> = gpus.iter().map(|gpu| format!("sm_{gpu}")).collect();
    let cause = format!(
        "{:.1} of {:.1} GB of device code cannot run on {}.",
        other as f64 / 1e9,
        total as f64 / 1e9,
        names.join(", ")
    );
    let list: Vec<String> = gpus.iter().map(|gpu| format!("{}.{}", gpu / 10, gpu % 10)).collect();
    let remedy = format!(
        "Nothing to do, unless size matters: then build the framework for these GPUs alone \
         (TORCH_CUDA_ARCH_LIST=\"{}\")",
        list.join(";")
    );
    let problem = code.iter().filter(|code| !runs(code)).fold(Problem::new(cause), |problem, code| {
        problem.evidence(format!("{}: {:.1} MB", code.arch, code.bytes as f64 / 1e6))
    });
    Some(problem.remedy(remedy)).into()
}
