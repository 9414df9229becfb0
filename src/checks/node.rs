//! The machine: kernel module, fabric, licence, and their agreement with what the container was given.

use crate::checks::Problem;
use crate::checks::shared::faults::{faults, phrase};
use crate::checks::shared::loading::has_compat;
use crate::facts::Facts;
use crate::model::Stage;

family! {
    mig_empty
    driver_mismatch
    confidential
    fabric
    hmm
    vgpu_licence
    closed_module
    uvm_wedged
    slow_init
    xid
    peer_access
}

/// What fails when cuInit does.
pub const BEYOND: &[&str] = &["driver.init", "driver.no-devices", "driver.nvml", "probe.nothing-verified"];

/// cuInit's number, with how it was said.
pub fn init(facts: &Facts) -> Option<(i64, String)> {
    faults(facts, Stage::DriverInit).find_map(|(_, fault)| Some((fault.code?, phrase(fault))))
}

/// Libraries and kernel module are of different versions: NVML says so.
pub fn mismatch(facts: &Facts) -> Option<Problem> {
    let nvml = [Stage::NvmlInit, Stage::NvmlDevice];
    let by_nvml = facts.probes.iter().find_map(|run| {
        let fault = nvml.iter().find_map(|stage| run.fault(*stage))?;
        (fault.code == Some(18)).then(|| phrase(fault))
    });
    // A compatibility package in front of the driver says the same to CUDA, and is another matter.
    let by_cuda =
        init(facts).filter(|(code, _)| *code == 803 && !has_compat(facts)).map(|(_, phrase)| phrase);
    let said = by_nvml.or(by_cuda)?;
    let module = facts.host.module.as_ref().and_then(|module| module.version.as_deref());
    let files: Vec<_> =
        facts.host.driver_files.iter().filter(|file| version_of(&file.real).is_some()).collect();
    let mut problem = Problem::new(match module {
        Some(module) => format!("The kernel module is {module}, the libraries are of another version."),
        None => {
            "The driver says that the libraries are of another version than the kernel module.".to_owned()
        }
    })
    .evidence(said);
    for file in files {
        problem = problem.evidence(file.real.clone());
    }
    Some(problem)
}

/// The version in the name of a driver's file, such as libcuda.so.550.54.15.
fn version_of(path: &str) -> Option<&str> {
    let version = path.rsplit_once(".so.")?.1;
    version.contains('.').then_some(version)
}
