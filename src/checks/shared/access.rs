//! Whether a GPU was expected in this container, and whether one answered.
//!
//! Only questions about the container as a whole are here. Device nodes are in `nodes`, CUDA_VISIBLE_DEVICES in
//! `visible_devices`, WSL, Jetson and container engines in `platform`.

use image_audit::census::{Copy, Origin};

use crate::facts::Facts;
use crate::model::Level;

/// What fails where neither device nodes nor driver libraries are in the container.
pub const NO_DRIVER_CONSEQUENCES: &[&str] = &[
    "launch.device-denied",
    "launch.node-dead",
    "launch.node-permissions",
    "launch.selinux",
    "launch.uvm-missing",
    "launch.library-path",
    "launch.visible-devices",
    "image.no-ld-cache",
    "image.compat-mismatch",
    "node.driver-mismatch",
    "node.hmm",
    "node.closed-module",
    "node.uvm-wedged",
    "launch.libcuda-missing",
    "image.stub-libcuda",
    "driver.load",
    "driver.init",
    "driver.no-devices",
    "driver.nvml",
    "driver.nvml-failed",
    "probe.nothing-verified",
];

/// What fails where the host has a driver, and the container runtime injected no GPU.
pub const NOT_INJECTED_CONSEQUENCES: &[&str] = &[
    "launch.driver-not-loaded",
    "launch.not-requested",
    "launch.libcuda-missing",
    "launch.uvm-missing",
    "launch.visible-devices",
    "node.closed-module",
    "image.stub-libcuda",
    "driver.load",
    "driver.init",
    "driver.no-devices",
    "driver.nvml",
    "driver.nvml-failed",
    "probe.nothing-verified",
];

/// Why no GPU is expected, where none is. Where no file could be opened, what seems missing may be there.
pub fn no_gpu_expected(facts: &Facts) -> Option<&'static str> {
    if !facts.request.running || facts.request.level == Level::Image {
        return Some("an image audit needs no GPU");
    }
    facts.host.limits.no_files.then_some("no file could be opened: too many open files")
}

/// The host has the NVIDIA kernel driver. The kernel lists it even where the module's own files are hidden.
pub fn host_has_driver(facts: &Facts) -> bool {
    facts.host.module.is_some() || !facts.host.majors.is_empty()
}

/// The value of NVIDIA_VISIBLE_DEVICES.
pub fn nvidia_visible_devices(facts: &Facts) -> Option<&str> {
    facts.host.environment.get("NVIDIA_VISIBLE_DEVICES").map(String::as_str)
}

/// A libcuda that a driver may have brought: neither a stub nor an empty file.
pub fn real_libcuda(facts: &Facts) -> Option<&Copy> {
    let real = |copy: &&Copy| copy.library == "libcuda" && copy.origin != Origin::Stub && copy.bytes > 0;
    facts.census.copies.iter().find(real)
}

/// The number of devices that CUDA lists; 0 if it was not queried or failed.
pub fn cuda_device_count(facts: &Facts) -> u32 {
    facts.probes.iter().find_map(|run| run.driver().next()).map_or(0, |driver| driver.devices)
}

/// CUDA lists a device.
pub fn cuda_works(facts: &Facts) -> bool {
    facts.probes.iter().any(|run| run.driver().any(|driver| driver.devices > 0))
}

/// CUDA or NVML lists a GPU.
pub fn gpu_answered(facts: &Facts) -> bool {
    cuda_works(facts) || facts.nvml_devices().next().is_some()
}

/// A GPU works, as far as the level shows. Above level nvml, NVML's answer is not enough: CUDA may still fail.
pub fn gpu_works(facts: &Facts) -> bool {
    if facts.request.level == Level::Nvml { gpu_answered(facts) } else { cuda_works(facts) }
}

#[cfg(test)]
mod tests {
    use image_audit::census::Origin;

    use super::*;
    use crate::facts::event::Event;
    use crate::facts::sample::{Sample, copy};

    #[test]
    fn a_gpu_is_expected_where_something_runs_and_files_open() {
        assert_eq!(no_gpu_expected(&Sample::machine(1).facts()), None);
        let at_rest = no_gpu_expected(&Sample::image().facts()).unwrap();
        assert!(at_rest.contains("image audit"), "{at_rest}");
        let blind = Sample::machine(1).host(|host| host.limits.no_files = true).facts();
        let blind = no_gpu_expected(&blind).unwrap();
        assert!(blind.contains("open files"), "{blind}");
    }

    #[test]
    fn an_answer_of_nvml_alone_is_enough_only_at_level_nvml() {
        let no_cuda = |sample: Sample| {
            sample.run(None, |run| run.events.retain(|event| !matches!(event, Event::Driver(_)))).facts()
        };
        let driver = no_cuda(Sample::machine(1).level(Level::Driver));
        assert!(gpu_answered(&driver) && !cuda_works(&driver) && !gpu_works(&driver));
        let nvml = no_cuda(Sample::machine(1).level(Level::Nvml));
        assert!(gpu_works(&nvml) && !cuda_works(&nvml));
    }

    #[test]
    fn stubs_and_empty_files_are_no_libcuda() {
        let with = |origin, bytes| {
            let mut libcuda = copy("libcuda", "/usr/lib/libcuda.so.1", "");
            (libcuda.origin, libcuda.bytes) = (origin, bytes);
            real_libcuda(&Sample::machine(1).copy(libcuda).facts()).is_some()
        };
        assert!(with(Origin::Injected, 1_000_000));
        assert!(!with(Origin::Stub, 1_000_000) && !with(Origin::Injected, 0));
    }
}
