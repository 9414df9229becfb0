//! The CUDA runtime is newer than the driver, within one major version.

use crate::checks::math::{each, versions};
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::words::cuda;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "math.minor-version",
    severity: Severity::Note,
    owner: Owner::Node,
    fix: Fix::Host,
    title: "The CUDA runtime is newer than the driver",
    why: "CUDA allows this within one major version (minor-version compatibility). Code that is only PTX, or needs a feature \
          of the newer driver, still fails.",
    remedy: "No action needed, unless an application fails with error 222 or 36: then upgrade the driver",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    each(facts, |run| {
        let (runtime, driver) = versions(run)?;
        let newer = runtime > driver && runtime / 1000 == driver / 1000;
        newer.then(|| {
            Problem::new(format!(
                "the runtime is CUDA {}, the driver supports {}.",
                cuda(runtime),
                cuda(driver)
            ))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::problem;
    use crate::facts::event::Event;
    use crate::facts::sample::Sample;

    #[test]
    fn within_one_major_version() {
        let judged = |version| {
            let change = |event: &mut Event| {
                if let Event::Runtime(runtime) = event {
                    runtime.version = version;
                }
            };
            judge(&Sample::machine(1).run(Some(0), |run| run.events.iter_mut().for_each(change)).facts())
        };
        assert_eq!(
            problem(judged(12_060)).cause,
            "GPU 0 (NVIDIA H100 80GB HBM3): the runtime is CUDA 12.6, the driver supports 12.4."
        );
        assert!(matches!(judged(12_020), Outcome::Pass), "an older runtime");
        assert!(matches!(judged(13_000), Outcome::Pass), "math.driver-too-old reports it");
    }
}
