//! Faults in words: what was called, what came back.

use crate::codes;
use crate::codes::Family;
use crate::facts::Facts;
use crate::facts::event::{Api, Fault};
use crate::facts::probe::{ProbeRun, Target, free_memory};
use crate::model::Stage;

/// Statuses of a device that is full or owned: 2 out of memory, 46 device unavailable.
pub const TAKEN: [i64; 2] = [2, 46];

/// A fault in one phrase: what was called, what came back.
pub fn phrase(fault: &Fault) -> String {
    let returned = match (fault.code, name(fault)) {
        (None, _) => format!("{} failed", fault.call),
        (Some(code), Some(name)) => format!("{} returned {code} ({name})", fault.call),
        (Some(code), None) => {
            let library = Family::of(fault.api).map_or("the loader", Family::label);
            format!("{} returned {code} ({library}, no known name)", fault.call)
        }
    };
    match fault.detail.as_str() {
        "" => format!("{returned}."),
        detail => format!("{returned}: {detail}."),
    }
}

/// The library's own name for a number, else that of the tables: NVML and CUPTI of some releases give none,
/// and an older library knows fewer. Where a library has no name it may give words, such as 'unrecognized
/// error code'.
pub fn name(fault: &Fault) -> Option<&str> {
    let is_name =
        |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let own = fault.name.as_deref().filter(is_name);
    own.or_else(|| Some(codes::named(Family::of(fault.api)?, fault.code?)?.name))
}

pub fn faults(facts: &Facts, stage: Stage) -> impl Iterator<Item = (&ProbeRun, &Fault)> {
    facts.probes.iter().filter_map(move |run| run.fault(stage).map(|fault| (run, fault)))
}

/// A call that failed for want of memory, or because the device is somebody's own.
pub fn is_taken(fault: &Fault) -> bool {
    match (fault.api, fault.code) {
        (Api::Driver, Some(code)) => TAKEN.contains(&code),
        // cudaErrorMemoryAllocation and cudaErrorDevicesUnavailable; CUBLAS_STATUS_ALLOC_FAILED.
        (Api::Runtime, Some(2 | 46)) | (Api::Cublas, Some(3)) => true,
        _ => false,
    }
}

/// cuBLAS says "not initialised" where its workspace does not fit into what is free.
pub fn is_starved(facts: &Facts, run: &ProbeRun, fault: &Fault) -> bool {
    let device = facts.devices().find(|device| run.target == Target::Gpu(device.ordinal));
    let free = device.and_then(|device| free_memory(&facts.probes, device));
    (fault.api, fault.code) == (Api::Cublas, Some(1)) && free.is_some_and(|free| free < 1 << 30)
}

/// `12.4` of 12040, as the driver and the runtime give it.
pub fn cuda(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_by_the_library_or_by_the_tables_and_never_guessed() {
        let said = |api, code, name: Option<&str>, detail: &str| {
            let (name, detail) = (name.map(str::to_owned), detail.to_owned());
            phrase(&Fault { api, call: "call".into(), code, name, detail })
        };
        assert_eq!(said(Api::Driver, Some(100), None, ""), "call returned 100 (CUDA_ERROR_NO_DEVICE).");
        assert_eq!(said(Api::Driver, Some(100), Some("ITS_OWN"), "x"), "call returned 100 (ITS_OWN): x.");
        assert_eq!(said(Api::Nvml, Some(100), None, ""), "call returned 100 (NVML, no known name).");
        assert_eq!(
            said(Api::Nvml, Some(9), None, "Driver Not Loaded"),
            "call returned 9 (NVML_ERROR_DRIVER_NOT_LOADED): Driver Not Loaded."
        );
        // What the runtime and cuBLAS say of a number that they do not know.
        let unknown = "unrecognized error code";
        assert_eq!(
            said(Api::Runtime, Some(4242), Some(unknown), unknown),
            "call returned 4242 (CUDA runtime, no known name): unrecognized error code."
        );
        assert_eq!(
            said(Api::Runtime, Some(803), Some(unknown), ""),
            "call returned 803 (cudaErrorSystemDriverMismatch)."
        );
        assert_eq!(
            said(Api::Cublas, Some(4242), Some("<unknown>"), ""),
            "call returned 4242 (cuBLAS, no known name)."
        );
        assert_eq!(said(Api::Loader, None, None, "no such file"), "call failed: no such file.");
    }
}
