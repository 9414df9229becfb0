//! The driver's libraries: whether the image brought them, and whether they match the kernel module.

use crate::checks::Problem;
use crate::checks::shared::faults::{init_failure, phrase};
use crate::checks::shared::loading::loads_compat;
use crate::facts::Facts;
use crate::facts::event::Event;
use crate::model::Stage;

/// The driver library that was loaded is part of the image, and not mounted into the container.
pub fn is_driver_of_image(facts: &Facts) -> bool {
    let loaded = |event: &Event| match event {
        Event::Library { name, path, .. } if name == "libcuda" || name == "libnvidia-ml" => {
            Some(path.clone())
        }
        _ => None,
    };
    let paths: Vec<String> = facts.probes.iter().flat_map(|run| &run.events).filter_map(loaded).collect();
    let files: Vec<_> = facts.host.driver_files.iter().filter(|file| paths.contains(&file.real)).collect();
    // Outside a container the driver's libraries belong to the machine, mounted or not.
    facts.host.platform.container.is_some() && !files.is_empty() && files.iter().all(|file| !file.mounted)
}

/// NVML or CUDA reports that the driver's libraries and the kernel module have different versions.
pub fn version_mismatch(facts: &Facts) -> Option<Problem> {
    let nvml = [Stage::NvmlInit, Stage::NvmlDevice];
    let by_nvml = facts.probes.iter().find_map(|run| {
        let fault = nvml.iter().find_map(|stage| run.fault(*stage))?;
        (fault.code == Some(18)).then(|| phrase(fault))
    });
    // CUDA returns 803 for a compatibility package in front of the driver too, which has a check of its own.
    let by_cuda = init_failure(facts).filter(|(code, _)| *code == 803 && !loads_compat(facts));
    let returned = by_nvml.or(by_cuda.map(|(_, phrase)| phrase))?;
    let module = facts.host.module.as_ref().and_then(|module| module.version.as_deref());
    let cause = match module {
        Some(module) => format!("The kernel module is version {module}, but the libraries are not."),
        None => {
            "The driver reports that its libraries and the kernel module have different versions.".to_owned()
        }
    };
    let files = facts.host.driver_files.iter().filter(|file| has_version(&file.real));
    Some(files.fold(Problem::new(cause).evidence(returned), |problem, file| problem.file(&file.real, "")))
}

/// Such as libcuda.so.550.54.15.
fn has_version(path: &str) -> bool {
    path.rsplit_once(".so.").is_some_and(|(_, version)| version.contains('.'))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::facts::event::Api;
    use crate::facts::host::DriverFile;
    use crate::facts::sample::{Sample, fault, library, of_api};

    const LIBCUDA: &str = "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15";

    /// A container whose libcuda comes from the image or from the host.
    pub fn with_libcuda(mounted: bool) -> Sample {
        let file = DriverFile {
            path: "/usr/lib/x86_64-linux-gnu/libcuda.so.1".into(),
            real: LIBCUDA.into(),
            bytes: 1_000_000,
            mounted,
        };
        Sample::machine(1).host(|host| {
            host.platform.container = Some("docker".into());
            host.driver_files = vec![file];
        })
    }

    #[test]
    fn a_mounted_driver_is_not_of_the_image() {
        assert!(is_driver_of_image(&with_libcuda(false).facts()));
        assert!(!is_driver_of_image(&with_libcuda(true).facts()));
        let outside = with_libcuda(false).host(|host| host.platform.container = None);
        assert!(!is_driver_of_image(&outside.facts()));
        let not_loaded = with_libcuda(false).host(|host| host.driver_files[0].real = "/other".into());
        assert!(!is_driver_of_image(&not_loaded.facts()));
    }

    #[test]
    fn two_versions_by_nvml_or_by_cuda() {
        let nvml = |code| of_api(Api::Nvml, "nvmlInit", code);
        let found = |sample: Sample| version_mismatch(&sample.facts());
        let problem = found(with_libcuda(true).fault(None, Stage::NvmlInit, nvml(18))).expect("it is found");
        assert_eq!(problem.cause, "The kernel module is version 550.54.15, but the libraries are not.");
        assert_eq!(problem.evidence[1].path.as_deref(), Some(LIBCUDA));
        assert!(found(with_libcuda(true).fault(None, Stage::NvmlInit, nvml(9))).is_none());

        let refused = || with_libcuda(true).fault(None, Stage::DriverInit, fault("cuInit", 803));
        assert!(found(refused()).is_some());
        let compat = library("libcuda", "/usr/local/cuda/compat/libcuda.so.560.35.05");
        assert!(found(refused().event(None, compat)).is_none());
    }
}
