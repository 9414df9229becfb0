//! CUDA_VISIBLE_DEVICES hides every GPU from CUDA.

use crate::checks::shared::visible_devices::{
    NO_DEVICES_CONSEQUENCES, cuda_sees_none, cuda_visible_devices, with_nvml_count,
};
use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::model::{Fix, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.visible-devices",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "CUDA_VISIBLE_DEVICES hides every GPU from CUDA",
    why: "CUDA lists the devices that the variable names, up to the first entry that names none. Inside a container, \
          GPUs are numbered from 0 again, so that numbers or UUIDs of the host select nothing; nor does an empty \
          value, or -1.",
    remedy: "Unset CUDA_VISIBLE_DEVICES: the container has only its own GPUs anyway",
    explains: NO_DEVICES_CONSEQUENCES,
    codes: &[(Library::Driver, 100), (Library::Runtime, 100)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let Some(value) = cuda_visible_devices(facts).filter(|_| cuda_sees_none(facts)) else {
        return Outcome::Pass;
    };
    // Without a GPU there is nothing to hide.
    let nvml_has_none = facts.probes.iter().any(|run| run.nvml().any(|nvml| nvml.gpus == 0));
    if nvml_has_none && facts.nvml_devices().next().is_none() {
        return Outcome::Pass;
    }
    let first = value.split(',').next().unwrap_or_default().trim();
    if is_listed(facts, first) {
        return Outcome::Pass;
    }
    let cause = match first {
        "" | "-1" => format!("CUDA_VISIBLE_DEVICES is '{value}', which selects no device."),
        first => format!("CUDA_VISIBLE_DEVICES is '{value}', and there is no device '{first}' here."),
    };
    Some(with_nvml_count(Problem::new(cause).evidence(format!("CUDA_VISIBLE_DEVICES={value}")), facts)).into()
}

/// Whether an entry names a GPU that NVML lists: by number, by UUID, or by the start of a UUID.
fn is_listed(facts: &Facts, entry: &str) -> bool {
    let count = facts.probes.iter().find_map(|run| run.nvml().next()).map_or(0, |nvml| nvml.gpus);
    let mut uuids = facts.nvml_devices().filter_map(|gpu| gpu.uuid.known());
    entry.parse::<u32>().is_ok_and(|number| number < count)
        || entry.starts_with("GPU-") && uuids.any(|uuid| uuid.starts_with(entry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::testing::{lines, passes, problem};
    use crate::facts::event::Event;
    use crate::facts::sample::{Sample, fault};
    use crate::model::{Level, Stage};

    /// Two GPUs, and CUDA without a device.
    fn hidden(visible: &str) -> Sample {
        Sample::machine(2)
            .fault(None, Stage::DriverInit, fault("cuInit", 100))
            .env("CUDA_VISIBLE_DEVICES", visible)
    }

    #[test]
    fn values_that_select_no_device() {
        let cases = [
            ("", "selects no device"),
            ("-1", "selects no device"),
            ("7", "no device '7' here"),
            ("7,0", "no device '7' here"),
            ("GPU-ffff", "no device 'GPU-ffff' here"),
        ];
        for (visible, cause) in cases {
            let problem = problem(judge(&hidden(visible).facts()));
            assert!(problem.cause.contains(cause), "{}", problem.cause);
            assert_eq!(lines(&problem)[1], "NVML reports 2 GPUs");
        }
    }

    #[test]
    fn at_level_nvml_the_value_alone_is_judged() {
        let nvml = |visible| {
            judge(&Sample::machine(2).level(Level::Nvml).env("CUDA_VISIBLE_DEVICES", visible).facts())
        };
        assert!(problem(nvml("7")).cause.contains("no device '7'"));
        assert!(passes(nvml("1")));
    }

    #[test]
    fn a_first_entry_that_is_here_is_not_the_problem() {
        for visible in
            ["1", "GPU-00000000-0000-0000-0000-000000000001", "GPU-00000000-0000-0000-0000-000000000001,7"]
        {
            assert!(passes(judge(&hidden(visible).facts())), "{visible}");
        }
    }

    #[test]
    fn without_nvml_the_value_is_judged_all_the_same() {
        let no_nvml = hidden("7").run(None, |run| {
            run.events.retain(|event| !matches!(event, Event::Nvml(_) | Event::NvmlDevice(_)));
        });
        assert!(problem(judge(&no_nvml.facts())).cause.contains("no device '7'"));
    }

    #[test]
    fn nothing_is_hidden_where_there_is_no_gpu() {
        let facts = hidden("7").run(None, |run| {
            run.events.retain(|event| !matches!(event, Event::NvmlDevice(_)));
            for event in &mut run.events {
                if let Event::Nvml(nvml) = event {
                    nvml.gpus = 0;
                }
            }
        });
        assert!(passes(judge(&facts.facts())));
    }
}
