//! A stub is loaded in place of the driver library.

use crate::checks::{Check, Outcome, Problem};
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::event::Event;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "image.stub-libcuda",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A stub is loaded in place of the driver library",
    why: "A toolkit's stubs/ directory holds a libcuda.so for linking programs where there is no driver. At run \
          time it answers every call with error 34. It is loaded when that directory is on the loader's path or \
          a link to it stands in a library directory.",
    remedy: "Take the stubs directory out of LD_LIBRARY_PATH and /etc/ld.so.conf.d (for linking use \
             LIBRARY_PATH), then run ldconfig",
    explains: &[
        "image.stubs-on-path",
        "driver.init",
        "driver.load",
        "driver.no-devices",
        "driver.nvml",
        "probe.nothing-verified",
    ],
    codes: &[(Family::Driver, 34)],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    let events = facts.probes.iter().flat_map(|run| &run.events);
    let loaded = events.filter_map(|event| match event {
        Event::Library { name, asked, path, .. } if name == "libcuda" => Some((asked, path)),
        _ => None,
    });
    let code = facts.probes.iter().find_map(|run| run.fault(Stage::DriverInit)?.code);
    let stub = |(asked, path): &(&String, &String)| {
        // The real file may carry another name: a stub is known by its place, or by what it answers.
        path.contains("/stubs/") || asked.contains("/stubs/") || code == Some(34)
    };
    let found = loaded.into_iter().find(stub);
    let problem = found.map(|(_, path)| {
        let mut problem =
            Problem::new(format!("The loader takes {path} for libcuda.so.1.")).evidence(path.clone());
        if let Some(code) = code {
            problem = problem.evidence(format!("cuInit returned {code}"));
        }
        if let Some(value) = facts.host.environment.get("LD_LIBRARY_PATH") {
            problem = problem.evidence(format!("LD_LIBRARY_PATH={value}"));
        }
        problem
    });
    problem.into()
}
