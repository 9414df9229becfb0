//! The driver is too old for the CUDA runtime.

use crate::checks::math::{each, versions};
use crate::checks::shared::faults::phrase;
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::words::cuda;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "math.driver-too-old",
    severity: Severity::Error,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The driver is too old for the CUDA runtime",
    why: "The CUDA runtime needs a driver of its own major CUDA version or newer. Within a major version an older driver is \
          enough (minor-version compatibility).",
    remedy: "Upgrade the driver on the host, use an image for the driver's CUDA version, or on data center GPUs install the \
             cuda-compat package in the image",
    explains: &["math.runtime-failed", "math.cublas-init", "math.gemm-failed"],
    codes: &[(Library::Runtime, 35)],
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
        // The image may have a compatibility driver that was not loaded.
        let compat = facts
            .census
            .copies
            .iter()
            .find(|copy| copy.library == "libcuda" && copy.path.contains("/compat/"));
        Some(match compat {
            Some(copy) => {
                let directory = copy.path.rsplit_once('/').map_or("", |(directory, _)| directory);
                let remedy = format!(
                    "On a data center GPU: set `ENV LD_LIBRARY_PATH={directory}` to load the image's compatibility \
                     driver; otherwise upgrade the driver on the host"
                );
                problem.file(&copy.path, " is in the image but was not loaded").remedy(remedy)
            }
            None => problem,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::event::{Api, Event};
    use crate::facts::sample::{Sample, copy, of_api};

    fn with_runtime(version: i32) -> Sample {
        Sample::machine(1).run(Some(0), |run| {
            for event in &mut run.events {
                if let Event::Runtime(runtime) = event {
                    runtime.version = version;
                }
            }
        })
    }

    #[test]
    fn a_runtime_of_a_newer_major_version() {
        let found = problem(judge(&with_runtime(13_000).facts()));
        assert_eq!(
            found.cause,
            "GPU 0 (NVIDIA H100 80GB HBM3): the runtime is CUDA 13.0, the driver supports 12.4."
        );
        assert!(
            matches!(judge(&with_runtime(12_060).facts()), Outcome::Pass),
            "math.minor-version reports it"
        );
    }

    #[test]
    fn error_35_beside_a_compatibility_driver() {
        let path = "/usr/local/cuda/compat/libcuda.so.580.65.06";
        let sample = |code| {
            let fault = of_api(Api::Runtime, "cudaGetDeviceCount", code);
            Sample::machine(1).fault(Some(0), Stage::Runtime, fault).copy(copy("libcuda", path, "580.65.06"))
        };
        let found = problem(judge(&sample(35).facts()));
        assert!(found.cause.contains("cudaErrorInsufficientDriver"), "{}", found.cause);
        assert_eq!(found.evidence[0].path.as_deref(), Some(path));
        assert!(found.remedy.unwrap().contains("ENV LD_LIBRARY_PATH=/usr/local/cuda/compat` to load"));
        assert!(matches!(judge(&sample(999).facts()), Outcome::Pass));
    }
}
