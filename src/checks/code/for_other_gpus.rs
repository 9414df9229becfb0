//! Most of the device code is for other GPUs.

use crate::checks::code::{NO_CODE, NO_GPUS, gpus};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::words::size;
use crate::model::{Fix, Owner, Severity};
use image_audit::fatbin::{DeviceCode, runs_on};

pub const CHECK: Check = Check {
    id: "code.for-other-gpus",
    severity: Severity::Note,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "Most of the device code is for other GPUs",
    why: "Frameworks are built for many GPU generations. Code for the others takes up space and never runs. It cannot \
          be stripped from built libraries; only a build for these GPUs is smaller.",
    remedy: "No action needed, unless size matters: then build the framework for these GPUs only \
             (TORCH_CUDA_ARCH_LIST=9.0)",
    explains: &[],
    codes: &[],
    judge,
};

/// Bytes below which it is not reported.
const WORTH_REPORTING: u64 = 500_000_000;

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
    if other < WORTH_REPORTING || other * 2 < total {
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
        "No action needed, unless size matters: then build the framework for these GPUs only \
         (TORCH_CUDA_ARCH_LIST=\"{}\")",
        list.join(";")
    );
    let problem = code.iter().filter(|code| !runs(code)).fold(Problem::new(cause), |problem, code| {
        problem.evidence(format!("{}: {}", code.arch, size(code.bytes)))
    });
    Some(problem.remedy(remedy)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::code::samples::image;

    #[test]
    fn more_than_half_is_for_others() {
        let archs = ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_90"];
        let Outcome::Fail(problems) = judge(&image(&archs, &[90])) else { panic!() };
        assert_eq!(problems[0].cause, "0.5 of 0.6 GB of device code cannot run on sm_90.");
        assert_eq!(problems[0].evidence[0].text, "sm_50: 100 MB");
        assert!(problems[0].remedy.as_deref().unwrap().ends_with("(TORCH_CUDA_ARCH_LIST=\"9.0\")"));
        assert!(matches!(judge(&image(&archs[1..], &[90])), Outcome::Pass), "less than 500 MB");
        assert!(matches!(judge(&image(&archs, &[50, 60, 70, 90])), Outcome::Pass), "no more than 200 MB");
    }
}
