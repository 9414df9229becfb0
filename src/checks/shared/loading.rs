//! Whether the loader found libcuda, and which file it loaded.

use std::collections::BTreeSet;

use crate::checks::shared::faults::faults;
use crate::checks::{Outcome, Problem};
use crate::facts::Facts;
use crate::facts::event::{Api, Event};
use crate::facts::host::DriverFile;
use crate::model::Stage;

/// Checks that fail because libcuda cannot be loaded.
pub const LOAD_CONSEQUENCES: &[&str] =
    &["driver.load", "driver.nvml", "driver.nvml-failed", "probe.nothing-verified"];

/// Where libcuda is, if the loader did not find it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Directory {
    /// Searched through the loader's cache.
    System,
    /// Searched only if LD_LIBRARY_PATH names it.
    Other,
}

impl Directory {
    fn of(path: &str) -> Directory {
        let system = path.starts_with("/usr/lib") || path.starts_with("/lib");
        if system && !path.contains("/wsl/") { Directory::System } else { Directory::Other }
    }
}

/// What the loader reported when it could not load a driver library.
pub fn loader_message(facts: &Facts) -> Option<&str> {
    let stages = [Stage::LoadDriver, Stage::LoadNvml];
    let fault = stages.iter().find_map(|stage| faults(facts, *stage).next()).map(|(_, fault)| fault)?;
    (fault.api == Api::Loader).then_some(fault.detail.as_str())
}

/// A libcuda that exists but that the loader did not find, and the loader's message.
pub fn unsearched_libcuda(facts: &Facts) -> Option<(&DriverFile, &str)> {
    let message = loader_message(facts).filter(|text| text.starts_with("libcuda.so.1: cannot open"))?;
    faults(facts, Stage::LoadDriver).next()?;
    let usable = |file: &&DriverFile| file.path.contains("/libcuda.so.") && file.bytes > 0;
    Some((facts.host.driver_files.iter().find(usable)?, message))
}

/// Fails if such a libcuda is in a directory of this kind.
pub fn not_searched(facts: &Facts, kind: Directory) -> Outcome {
    let Some((file, message)) = unsearched_libcuda(facts) else { return Outcome::Pass };
    let directory = file.path.rsplit_once('/').map_or("/", |(directory, _)| directory);
    if Directory::of(directory) != kind {
        return Outcome::Pass;
    }
    if !file.path.ends_with("/libcuda.so.1") {
        return Some(without_link(file, message)).into();
    }
    let toolkit = match kind {
        Directory::System => "Upgrade the NVIDIA Container Toolkit, which writes the loader's cache, or add",
        Directory::Other => "Add",
    };
    let mut problem = Problem::new(format!(
        "{} exists, but the loader does not search {directory}.",
        file.path
    ))
    .at(&file.path)
    .evidence(message)
    .remedy(format!(
        "{toolkit} to the Dockerfile: `ENV LD_LIBRARY_PATH={directory}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}`"
    ));
    let path = facts.host.environment.get("LD_LIBRARY_PATH").map_or("not set", String::as_str);
    problem = problem.evidence(format!("LD_LIBRARY_PATH: {path}"));
    if !facts.host.ld_cache {
        problem = problem.file("/etc/ld.so.cache", " does not exist");
    }
    Some(problem).into()
}

fn without_link(file: &DriverFile, message: &str) -> Problem {
    Problem::new(format!("{} exists, but ldconfig has not created its link libcuda.so.1.", file.path))
        .at(&file.path)
        .evidence(message)
        .remedy(
            "Upgrade the NVIDIA Container Toolkit on the host, which runs ldconfig in containers, or run `ldconfig` as \
             root when the container starts",
        )
}

/// The libcuda that was loaded belongs to a forward-compatibility package.
pub fn loads_compat(facts: &Facts) -> bool {
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

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::facts::sample::{Sample, not_loaded};

    pub const CANNOT_OPEN: &str = "libcuda.so.1: cannot open shared object file: No such file or directory";

    /// A container with this libcuda, in which the loader reports something.
    pub fn with_libcuda_at(path: &str, message: &str) -> Facts {
        let file = DriverFile { path: path.into(), real: path.into(), bytes: 1_000_000, mounted: true };
        let sample = Sample::machine(1).host(|host| host.driver_files = vec![file]);
        sample.fault(None, Stage::LoadDriver, not_loaded(message)).facts()
    }

    #[test]
    fn a_libcuda_that_the_loader_does_not_find() {
        let system = "/usr/lib/x86_64-linux-gnu/libcuda.so.1";
        for (path, kind, other) in [
            (system, Directory::System, Directory::Other),
            ("/usr/local/nvidia/lib64/libcuda.so.1", Directory::Other, Directory::System),
            ("/usr/lib/wsl/lib/libcuda.so.1", Directory::Other, Directory::System),
        ] {
            let facts = with_libcuda_at(path, CANNOT_OPEN);
            let problems = not_searched(&facts, kind).problems();
            assert_eq!(problems.len(), 1, "{path}");
            assert_eq!(problems[0].path.as_deref(), Some(path));
            let directory = path.trim_end_matches("/libcuda.so.1");
            let remedy = problems[0].remedy.as_deref().unwrap_or_default();
            assert!(remedy.contains(&format!("LD_LIBRARY_PATH={directory}$")), "{remedy}");
            assert!(not_searched(&facts, other).problems().is_empty(), "{path}");
        }
        for message in ["libcuda.so.1: file too short", "libdl.so.2: cannot open shared object file"] {
            assert!(unsearched_libcuda(&with_libcuda_at(system, message)).is_none(), "{message}");
        }
        let mut empty = with_libcuda_at(system, CANNOT_OPEN);
        empty.host.driver_files[0].bytes = 0;
        assert!(unsearched_libcuda(&empty).is_none());
    }

    #[test]
    fn a_libcuda_without_its_link_needs_ldconfig() {
        let facts = with_libcuda_at("/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15", CANNOT_OPEN);
        let problems = not_searched(&facts, Directory::System).problems();
        assert!(problems[0].cause.ends_with("ldconfig has not created its link libcuda.so.1."));
    }
}
