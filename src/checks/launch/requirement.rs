//! The driver does not meet the image's NVIDIA_REQUIRE_CUDA.

use crate::checks::predict::requirement_met;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::facts::target_machine::TargetMachine;
use crate::model::{Fix, Owner, Severity, words};

pub const CHECK: Check = Check {
    id: "launch.requirement",
    severity: Severity::Warning,
    owner: Owner::Image,
    fix: Fix::Host,
    title: "The driver does not meet the image's requirement",
    why: "NVIDIA_REQUIRE_CUDA states which driver the image needs. The container runtime refuses to start the image \
          on other drivers, unless NVIDIA_DISABLE_REQUIRE disables that check.",
    remedy: "Upgrade the driver on the host, or use an older tag of the image",
    explains: &[],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(value) = facts.host.environment.get("NVIDIA_REQUIRE_CUDA") else { return Outcome::Pass };
    let cuda = facts.probes.iter().find_map(|run| run.driver().next()).map(|driver| driver.cuda);
    let (Some(cuda), Some(device)) = (cuda, facts.devices().next()) else {
        return Outcome::Skip("CUDA reported no version and no device");
    };
    let version = facts.probes.iter().find_map(|run| run.nvml().next()?.driver.known().cloned());
    let module = facts.host.module.as_ref();
    let here = TargetMachine {
        name: "this machine".to_owned(),
        gpu: u32::try_from(device.capability.0 * 10 + device.capability.1).unwrap_or_default(),
        driver: version.or_else(|| module?.version.clone()),
        cuda: u32::try_from(cuda).ok().map(|cuda| (cuda / 1000, cuda % 1000 / 10)),
        open_module: module.map(|module| module.open),
        datacenter: None,
    };
    // What cannot be decided is not reported: the image did start.
    if requirement_met(value, &here) != Some(false) {
        return Outcome::Pass;
    }
    let cause =
        format!("The driver supports CUDA {}, which does not meet NVIDIA_REQUIRE_CUDA.", words::cuda(cuda));
    Some(Problem::new(cause).evidence(format!("NVIDIA_REQUIRE_CUDA={value}"))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{passes, problem, skips};
    use crate::facts::sample::{Sample, fault};
    use crate::model::Stage;

    fn requiring(value: &str) -> Sample {
        Sample::machine(1).env("NVIDIA_REQUIRE_CUDA", value)
    }

    #[test]
    fn requirements_that_this_driver_does_not_meet() {
        for value in ["cuda>=12.8", "driver>=570", "cuda>=12.8 driver>=570,driver<571"] {
            let problem = problem(judge(&requiring(value).facts()));
            assert!(problem.cause.starts_with("The driver supports CUDA 12.4"), "{}", problem.cause);
        }
    }

    #[test]
    fn requirements_that_it_meets_or_may_meet() {
        for value in ["cuda>=12.4", "cuda>=12.8 driver>=550,driver<551", "brand=unknown", ""] {
            assert!(passes(judge(&requiring(value).facts())), "{value}");
        }
        assert!(passes(judge(&Sample::machine(1).facts())));
    }

    #[test]
    fn without_an_answer_of_cuda_it_is_not_judged() {
        let facts = requiring("cuda>=12.8").fault(None, Stage::DriverInit, fault("cuInit", 999)).facts();
        assert!(skips(judge(&facts)));
    }
}
