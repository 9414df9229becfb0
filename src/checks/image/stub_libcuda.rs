//! Finds containers that load a stub instead of the driver's libcuda.

use crate::checks::{Check, Outcome, Problem};
use crate::codes::Library;
use crate::facts::Facts;
use crate::facts::event::Event;
use crate::model::{Fix, Owner, Severity, Stage};

pub const CHECK: Check = Check {
    id: "image.stub-libcuda",
    severity: Severity::Error,
    owner: Owner::Image,
    fix: Fix::Rebuild,
    title: "A stub libcuda is loaded instead of the driver",
    why: "The toolkit's stubs/ directory contains a libcuda.so for linking programs on machines without a driver. At \
          run time every call of it returns error 34. It is loaded if that directory is on the loader's path, or if a \
          library directory contains a link to it.",
    remedy: "Remove the stubs directory from LD_LIBRARY_PATH and /etc/ld.so.conf.d (for linking use LIBRARY_PATH), \
             then run `ldconfig`",
    explains: &[
        "image.stubs-on-path",
        "driver.init",
        "driver.load",
        "driver.no-devices",
        "driver.nvml",
        "probe.nothing-verified",
    ],
    codes: &[(Library::Driver, STUB_LIBRARY)],
    judge,
};

/// CUDA_ERROR_STUB_LIBRARY.
const STUB_LIBRARY: i64 = 34;

fn judge(facts: &Facts) -> Outcome {
    let code = facts.probes.iter().find_map(|run| run.fault(Stage::DriverInit)?.code);
    let stub = facts.probes.iter().flat_map(|run| &run.events).find_map(|event| match event {
        // The real file may have another name, so that the code counts as well as the directory.
        Event::Library { name, asked, path, .. } if name == "libcuda" => {
            (path.contains("/stubs/") || asked.contains("/stubs/") || code == Some(STUB_LIBRARY))
                .then_some(path)
        }
        _ => None,
    });
    let problem = stub.map(|path| {
        let mut problem =
            Problem::new(format!("{path} is loaded as libcuda.so.1.")).at(path).file(path, " is a stub");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::image::tests::{DRIVER, refused_by};

    #[test]
    fn a_stub_is_known_by_its_directory_or_its_code() {
        let problems = |path, code| judge(&refused_by(path, code)).problems();
        let stub = "/usr/local/cuda/lib64/stubs/libcuda.so";
        let found = problems(stub, 3);
        assert_eq!(found[0].cause, format!("{stub} is loaded as libcuda.so.1."));
        assert_eq!(found[0].path.as_deref(), Some(stub));
        assert_eq!(problems("/usr/lib/libcuda.so.1", STUB_LIBRARY).len(), 1, "a copy elsewhere");
        assert!(problems(DRIVER, 3).is_empty());
    }
}
