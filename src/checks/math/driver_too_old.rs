//! The driver is too old for this image's CUDA runtime.

use crate::checks::{Check, Outcome, Problem};
use crate::checks::math::{each, versions};
use crate::checks::shared::faults::{cuda, phrase};
use crate::codes::Family;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.driver-too-old",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The driver is too old for this image's CUDA runtime",
    why: "A runtime needs a driver of its own major CUDA version or a newer one. Within a major version an older \
          driver is enough (minor-version compatibility).",
    remedy: "Upgrade the host's driver, use an image of the driver's CUDA version, or on data-centre GPUs install \
             the cuda-compat package in the image",
    explains: &["math.runtime-failed", "math.cublas-init", "math.gemm-failed"],
    codes: &[(Family::Runtime, 35)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let refused = run.fault(Stage::Runtime).filter(|fault| fault.code == Some(35));
        let problem = match versions(run) {
            Some((runtime, driver)) if runtime / 1000 > driver / 1000 => Some(Problem::new(format!(
                "the runtime is CUDA {}, the driver supports {}.",
                cuda(runtime),
                cuda(driver)
            ))),
            _ => refused.map(|fault| Problem::new(phrase(fault))),
        }?;
        // A forward-compatibility package that is there and was not taken.
        let compat = facts
            .census
            .copies
            .iter()
            .find(|copy| copy.library == "libcuda" && copy.path.contains("/compat/"));
        Some(match compat {
            Some(copy) => {
                let directory = copy.path.rsplit_once('/').map_or("", |(directory, _)| directory);
                let remedy = format!(
                    "On a data-centre GPU: ENV LD_LIBRARY_PATH={directory}   puts the image's compat package first; else upgrade the host's driver"
                );
                problem.evidence(format!("{} is in the image and was not loaded", copy.path)).remedy(remedy)
            }
            None => problem,
        })
    })
}
