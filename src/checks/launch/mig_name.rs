//! CUDA_VISIBLE_DEVICES names a MIG instance that is not in the container.

use crate::checks::shared::visible_devices::{cuda_sees_none, cuda_visible_devices};
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.mig-name",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "CUDA_VISIBLE_DEVICES names a MIG instance not in this container",
    why: "Since driver 470, a MIG instance has a UUID of its own (MIG-UUID). Names of the older form \
          (MIG-GPU-UUID/GI/CI) select nothing; neither does the UUID of an instance that was destroyed, recreated, \
          or given to another container.",
    remedy: "Use a name that `nvidia-smi -L` prints inside this container, or unset CUDA_VISIBLE_DEVICES",
    explains: &[
        "launch.visible-devices",
        "driver.init",
        "driver.no-devices",
        "driver.too-few",
        "probe.nothing-verified",
    ],
    codes: &[(Library::Driver, 100), (Library::Runtime, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(value) = cuda_visible_devices(facts).filter(|_| cuda_sees_none(facts)) else {
        return Outcome::Pass;
    };
    let Some(name) = value.split(',').map(str::trim).find(|name| name.starts_with("MIG-")) else {
        return Outcome::Pass;
    };
    let instances = facts.nvml_devices().flat_map(|gpu| &gpu.mig_devices);
    let known: Vec<&String> = instances.filter_map(|mig| mig.uuid.known()).collect();
    let cause = if name.contains('/') || name.starts_with("MIG-GPU-") {
        format!("'{name}' has the form of MIG names before driver 470.")
    } else if known.iter().any(|uuid| uuid.as_str() == name) {
        return Outcome::Pass;
    } else {
        format!("'{name}' is not a MIG instance of this container.")
    };
    let problem = Problem::new(cause).evidence(format!("CUDA_VISIBLE_DEVICES={value}"));
    let list = |problem: Problem, uuid: &&String| problem.evidence(format!("NVML lists {uuid}"));
    Some(known.iter().take(8).fold(problem, list)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{lines, passes, problem};
    use crate::facts::event::MigDevice;
    use crate::facts::sample::{Sample, fault};
    use crate::model::{Field, Stage};

    const HERE: &str = "MIG-00000000-0000-0000-0000-000000000001";

    /// A GPU with one MIG instance, and CUDA without a device.
    fn without_devices(visible: &str) -> Sample {
        Sample::machine(1)
            .nvml(0, |gpu| {
                gpu.mig_enabled = Field::Known(true);
                gpu.mig_devices.push(MigDevice {
                    index: 0,
                    uuid: Field::Known(HERE.into()),
                    memory_total: Field::Known(10 << 30),
                    memory_free: Field::Known(10 << 30),
                });
            })
            .fault(None, Stage::DriverInit, fault("cuInit", 100))
            .env("CUDA_VISIBLE_DEVICES", visible)
    }

    #[test]
    fn names_that_select_no_instance() {
        let cases = [
            ("MIG-00000000-0000-0000-0000-000000000002", "is not a MIG instance"),
            ("MIG-GPU-00000000-0000-0000-0000-000000000000", "before driver 470"),
            ("MIG-0/1/0", "before driver 470"),
        ];
        for (visible, cause) in cases {
            let problem = problem(judge(&without_devices(visible).facts()));
            assert!(problem.cause.contains(cause), "{}", problem.cause);
            assert_eq!(lines(&problem)[1], format!("NVML lists {HERE}"));
        }
    }

    #[test]
    fn names_that_are_here_and_names_of_whole_gpus() {
        for visible in [HERE, "0", "GPU-00000000-0000-0000-0000-000000000009"] {
            assert!(passes(judge(&without_devices(visible).facts())), "{visible}");
        }
    }

    #[test]
    fn where_cuda_lists_a_device_the_name_is_not_the_problem() {
        let facts = Sample::machine(1).env("CUDA_VISIBLE_DEVICES", "MIG-other").facts();
        assert!(passes(judge(&facts)));
    }
}
