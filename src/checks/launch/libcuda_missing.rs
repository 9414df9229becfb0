//! The driver is there, but its library libcuda.so.1 is not in the container.

use image_audit::census::Origin;

use crate::checks::shared::access::{cuda_works, no_gpu_expected, real_libcuda};
use crate::checks::shared::loading::libcuda_loaded;
use crate::checks::shared::nodes::has_driver_nodes;
use crate::checks::{Check, Outcome, Problem};
use crate::facts::Facts;
use crate::model::{Fix, Level, Owner, Severity};

pub const CHECK: Check = Check {
    id: "launch.libcuda-missing",
    severity: Severity::Error,
    owner: Owner::Launch,
    fix: Fix::Recreate,
    title: "The driver library libcuda.so.1 is not in the container",
    why: "libcuda belongs to the host's driver, and the container runtime injects it for the capability 'compute'. \
          Without that capability, nvidia-smi works in the container and CUDA does not.",
    remedy: "`docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility ...` (Compose: `capabilities: \
             [gpu]`; Dockerfile: `ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility`)",
    explains: &["driver.load", "probe.nothing-verified"],
    codes: &[],
    judge,
};

fn judge(facts: &Facts) -> Outcome {
    if let Some(why) = no_gpu_expected(facts) {
        return Outcome::Skip(why);
    }
    let has_driver = has_driver_nodes(facts) || facts.host.module.is_some();
    let has_library = real_libcuda(facts).is_some()
        || facts.host.driver_files.iter().any(|file| file.path.contains("libcuda.so"))
        || !libcuda_loaded(facts).is_empty();
    if !has_driver || has_library || cuda_works(facts) || facts.request.level == Level::Nvml {
        return Outcome::Pass;
    }
    let mut problem = Problem::new("The file system has no libcuda.so.1 of a driver.");
    let mut unusable = facts.census.copies.iter().filter(|copy| copy.library == "libcuda").peekable();
    if unusable.peek().is_none() {
        problem = problem.evidence("no file libcuda.so.*");
    }
    for copy in unusable.take(4) {
        let what = if copy.origin == Origin::Stub { " is a stub" } else { " is empty" };
        problem = problem.file(&copy.path, what);
    }
    if let Some(value) = facts.host.environment.get("NVIDIA_DRIVER_CAPABILITIES") {
        problem = problem.evidence(format!("NVIDIA_DRIVER_CAPABILITIES={value}"));
    }
    Some(problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::launch::samples::not_injected;
    use crate::checks::testing::{lines, passes, problem};
    use crate::facts::host::DriverFile;
    use crate::facts::sample::{Sample, copy, library};

    fn utility_only() -> Sample {
        not_injected().env("NVIDIA_DRIVER_CAPABILITIES", "utility")
    }

    #[test]
    fn no_libcuda_beside_the_driver() {
        let problem = problem(judge(&utility_only().facts()));
        assert_eq!(lines(&problem), ["no file libcuda.so.*", "NVIDIA_DRIVER_CAPABILITIES=utility"]);
    }

    #[test]
    fn a_stub_does_not_count() {
        let mut stub = copy("libcuda", "/usr/local/cuda/lib64/stubs/libcuda.so", "");
        stub.origin = Origin::Stub;
        let problem = problem(judge(&utility_only().copy(stub).facts()));
        assert_eq!(lines(&problem)[0], "/usr/local/cuda/lib64/stubs/libcuda.so is a stub");
        assert_eq!(problem.evidence[0].path.as_deref(), Some("/usr/local/cuda/lib64/stubs/libcuda.so"));
    }

    #[test]
    fn wherever_it_is_it_is_not_missing() {
        let path = "/usr/lib/x86_64-linux-gnu/libcuda.so.1";
        let file = DriverFile { path: path.into(), real: path.into(), bytes: 1000, mounted: true };
        let listed = utility_only().host(|host| host.driver_files.push(file));
        let audited = utility_only().copy(copy("libcuda", path, ""));
        let loaded = utility_only().event(None, library("libcuda", path));
        for sample in [listed, audited, loaded, Sample::machine(1)] {
            assert!(passes(judge(&sample.facts())));
        }
    }

    #[test]
    fn level_nvml_does_not_need_it() {
        assert!(passes(judge(&utility_only().level(Level::Nvml).facts())));
    }

    #[test]
    fn without_a_driver_it_is_not_expected() {
        assert!(passes(judge(&utility_only().host(|host| host.module = None).facts())));
    }
}
