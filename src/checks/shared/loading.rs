//! Whether libcuda was found and loaded, and what it said next.

use crate::checks::shared::faults::{faults, phrase};
use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::facts::event::{Api, Event};
use crate::facts::host::DriverFile;
use crate::model::Stage;
use std::collections::BTreeSet;

pub const BEYOND: &[&str] = &["driver.load", "driver.nvml", "driver.nvml-failed", "probe.nothing-verified"];

pub const AFTER_INIT: &[&str] =
    &["image.compat-on-path", "driver.init", "driver.no-devices", "driver.nvml", "probe.nothing-verified"];

/// What the loader said when it refused the driver's library.
pub fn message(facts: &Facts) -> Option<&str> {
    let stages = [Stage::LoadDriver, Stage::LoadNvml];
    let fault = stages.iter().find_map(|stage| faults(facts, *stage).next()).map(|(_, fault)| fault)?;
    (fault.api == Api::Loader).then_some(fault.detail.as_str())
}

/// A libcuda that is there, and that the loader did not find.
pub fn unfound(facts: &Facts) -> Option<(&DriverFile, &str)> {
    let text = message(facts).filter(|text| text.starts_with("libcuda.so.1: cannot open"))?;
    faults(facts, Stage::LoadDriver).next()?;
    let usable = |file: &&DriverFile| file.path.contains("/libcuda.so.") && file.bytes > 0;
    Some((facts.host.driver_files.iter().find(usable)?, text))
}

pub fn unfound_problem(facts: &Facts, of_system: bool) -> Outcome {
    let Some((file, text)) = unfound(facts) else { return Outcome::Pass };
    let directory = file.path.rsplit_once('/').map_or("/", |(directory, _)| directory);
    let system = directory.starts_with("/usr/lib") || directory.starts_with("/lib");
    if (system && !directory.contains("/wsl/")) != of_system {
        return Outcome::Pass;
    }
    if !file.path.ends_with("/libcuda.so.1") {
        return Some(without_link(file, text)).into();
    }
    let mut problem =
        Problem::new(format!("{} is there, and the loader does not look in {directory}.", file.path))
            .evidence(text)
            .remedy(format!(
                "{}in the Dockerfile: ENV LD_LIBRARY_PATH={directory}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}",
                if of_system {
                    "Upgrade the NVIDIA Container Toolkit, which writes the loader's cache; or "
                } else {
                    ""
                }
            ));
    let path = facts.host.environment.get("LD_LIBRARY_PATH").map_or("not set", String::as_str);
    problem = problem.evidence(format!("LD_LIBRARY_PATH: {path}"));
    if !facts.host.ld_cache {
        problem = problem.evidence("/etc/ld.so.cache does not exist");
    }
    Some(problem).into()
}

pub fn without_link(file: &DriverFile, text: &str) -> Problem {
    Problem::new(format!("{} is there, and ldconfig has not made its link libcuda.so.1.", file.path))
        .evidence(text)
        .remedy(
            "Upgrade the NVIDIA Container Toolkit on the host, which runs ldconfig in containers, or run `ldconfig` as \
             root when the container starts",
        )
}

pub fn after_init(facts: &Facts, number: i64, cause: impl Fn(&str) -> String) -> Outcome {
    let fault =
        faults(facts, Stage::DriverInit).map(|(_, fault)| fault).find(|fault| fault.code == Some(number));
    let Some(fault) = fault else { return Outcome::Pass };
    let loaded = libcuda_loaded(facts);
    let path = loaded.first().map_or("libcuda.so.1", String::as_str);
    let mut problem = Problem::new(cause(path)).evidence(phrase(fault)).evidence(format!("loaded: {path}"));
    let module = facts.host.module.as_ref().and_then(|module| module.version.as_deref());
    problem.evidence.extend(module.map(|module| format!("kernel module {module}").into()));
    let path = facts.host.environment.get("LD_LIBRARY_PATH");
    problem.evidence.extend(path.map(|value| format!("LD_LIBRARY_PATH={value}").into()));
    Some(problem).into()
}

/// The libcuda that was loaded is a forward-compatibility package's.
pub fn has_compat(facts: &Facts) -> bool {
    libcuda_loaded(facts).iter().any(|path| path.contains("/compat/"))
}

/// The files that were mapped for libcuda, each once.
pub fn libcuda_loaded(facts: &Facts) -> BTreeSet<String> {
    let events = facts.probes.iter().flat_map(|run| &run.events);
    let path = |event: &Event| match event {
        Event::Library { name, path, .. } if name == "libcuda" => Some(path.clone()),
        _ => None,
    };
    events.filter_map(path).collect()
}
