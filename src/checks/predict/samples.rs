//! Images and machines for the unit tests of predictions.

use crate::checks::{Outcome, Problem};
use crate::cli::target_machine::{On, on};
use crate::facts::Facts;
use crate::facts::sample::{Sample, copy};
use crate::facts::target_machine::TargetMachine;
use image_audit::Forward;
use image_audit::census::{CodeObject, Copy, Framework, How, User};
use image_audit::fatbin::{CodeKind, DeviceCode};

pub const TORCH: &str = "/site/torch/lib/libtorch_cuda.so";
pub const COMPAT: &str = "/usr/local/cuda-13.1/compat/libcuda.so.590.44.01";

/// An image with a framework that has this code (`sm_90`, `compute_90`, or `compute_90/8.7` with its version) and uses
/// this runtime.
pub fn image(code: &[&str], runtime: Option<&str>) -> Facts {
    let mut facts = Sample::image().facts();
    let device_code = self::code(code);
    facts.census.device_code = device_code.clone();
    if !code.is_empty() {
        let objects = vec![CodeObject { path: TORCH.into(), device_code }];
        let uses = runtime.map(path_of).into_iter().collect();
        facts.census.frameworks = vec![Framework { name: "torch".into(), version: None, objects, uses }];
    }
    if let Some(version) = runtime {
        let mut copy = copy("libcudart", &path_of(version), version);
        copy.users = vec![User { path: TORCH.into(), how: How::Needed }];
        facts.census.copies.push(copy);
    }
    facts
}

/// `/site/nvidia/libcudart.so.12` of 12.4.127.
fn path_of(runtime: &str) -> String {
    format!("/site/nvidia/libcudart.so.{}", runtime.split('.').next().unwrap())
}

/// Device code with one image for each architecture.
pub fn code(archs: &[&str]) -> Vec<DeviceCode> {
    let one = |arch: &&str| {
        let kind = if arch.starts_with("sm") { CodeKind::Cubin } else { CodeKind::Ptx };
        let (arch, version) =
            arch.split_once('/').map_or((*arch, None), |(arch, version)| (arch, Some(version)));
        let ptx_version = version.map(|version| version.to_owned().try_into().unwrap());
        DeviceCode { arch: arch.to_owned(), kind, bytes: 1, images: 1, ptx_version, zstd: 0 }
    };
    archs.iter().map(one).collect()
}

/// The driver 590.44.01 of a cuda-compat package for CUDA 13.1, and the branches that it can replace.
pub fn compat_driver(replaces: Option<&[u32]>) -> Copy {
    let mut compat = copy("libcuda", COMPAT, "590.44.01");
    compat.forward = replaces.map(|drivers| Forward { cuda: Some("13.1".into()), drivers: drivers.to_vec() });
    compat
}

/// A machine, as it is written after `--on`.
pub fn described(machine: &str) -> TargetMachine {
    match on(machine) {
        Ok(On::Machine(machine)) => machine,
        other => panic!("{machine}: {other:?}"),
    }
}

/// What one check finds about an image on a machine.
pub fn problems(judge: fn(&Facts) -> Outcome, mut facts: Facts, machine: &str) -> Vec<Problem> {
    facts.request.machines.push(described(machine));
    judge(&facts).problems()
}

/// The only problem that one check finds, with its lines of evidence.
pub fn problem(judge: fn(&Facts) -> Outcome, facts: Facts, machine: &str) -> (String, Vec<String>) {
    let mut problems = problems(judge, facts, machine);
    assert_eq!(problems.len(), 1, "{machine}");
    let Problem { cause, evidence, .. } = problems.remove(0);
    (cause, evidence.into_iter().map(|line| line.text).collect())
}
