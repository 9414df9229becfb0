//! Most of the device code is for other GPUs.

use image_audit::fatbin::{DeviceCode, runs_on};
use crate::checks::{Check, Outcome, Problem};
use crate::checks::code::{NO_CODE, NO_GPUS, gpus};
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
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
    judge,
};

fn judge(facts: &Facts) -> Outcome {
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
