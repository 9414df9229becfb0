//! CUDA lists fewer devices than CUDA_VISIBLE_DEVICES names.

use crate::checks::shared::access::cuda_device_count;
use crate::checks::shared::visible_devices::{cuda_visible_devices, with_nvml_count};
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.visible-devices-cut",
    severity: Severity::Warning,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "CUDA_VISIBLE_DEVICES names more GPUs than CUDA lists",
    why: "CUDA silently stops at the first entry that names no device, or names one again. An application that expects \
          a device for each entry fails later with error 101.",
    remedy: "Unset CUDA_VISIBLE_DEVICES, or name only devices that `nvidia-smi -L` lists inside the container",
    explains: &[],
    codes: &[(Library::Driver, 101), (Library::Runtime, 101)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(value) = cuda_visible_devices(facts) else { return Outcome::Pass };
    // What follows -1 is hidden on purpose.
    let entries = value.split(',').map(str::trim).take_while(|entry| *entry != "-1");
    let entries: Vec<&str> = entries.filter(|entry| !entry.is_empty()).collect();
    // A process uses one MIG instance, however many are named.
    if entries.iter().any(|entry| entry.starts_with("MIG-")) {
        return Outcome::Pass;
    }
    let named = entries.len();
    let listed = cuda_device_count(facts);
    if listed == 0 || listed as usize >= named {
        return Outcome::Pass;
    }
    let cause = format!("CUDA_VISIBLE_DEVICES names {named} devices, but CUDA lists {listed}.");
    Some(with_nvml_count(Problem::new(cause).evidence(format!("CUDA_VISIBLE_DEVICES={value}")), facts)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{lines, passes, problem};
    use crate::facts::sample::{Sample, fault};
    use crate::model::Stage;

    fn one_listed(visible: &str) -> Sample {
        Sample::machine(1).env("CUDA_VISIBLE_DEVICES", visible)
    }

    #[test]
    fn entries_that_cuda_dropped() {
        for visible in ["0,5", "0, 0"] {
            let problem = problem(judge(&one_listed(visible).facts()));
            assert_eq!(problem.cause, "CUDA_VISIBLE_DEVICES names 2 devices, but CUDA lists 1.");
            assert_eq!(lines(&problem), [&format!("CUDA_VISIBLE_DEVICES={visible}"), "NVML reports 1 GPU"]);
        }
    }

    #[test]
    fn entries_that_are_meant_to_be_dropped() {
        for visible in ["0", "0,-1,1", "0,", "MIG-a,MIG-b"] {
            assert!(passes(judge(&one_listed(visible).facts())), "{visible}");
        }
    }

    #[test]
    fn where_cuda_lists_none_another_check_reports() {
        let none = one_listed("7,8").fault(None, Stage::DriverInit, fault("cuInit", 100));
        assert!(passes(judge(&none.facts())));
    }
}
