//! Failed calls: their wording, and which of them only mean that a GPU is in use.

use crate::codes;
use crate::codes::Library;
use crate::facts::Facts;
use crate::facts::event::{Api, Fault};
use crate::facts::probe::{ProbeRun, Target, free_memory};
use crate::model::Stage;

/// A fault in one sentence: what was called, what came back.
pub fn phrase(fault: &Fault) -> String {
    let returned = match (fault.code, name(fault)) {
        (None, _) => format!("{} failed", fault.call),
        (Some(code), Some(name)) => format!("{} returned {code} ({name})", fault.call),
        (Some(code), None) => {
            let library = Library::of(fault.api).map_or("the loader", Library::label);
            format!("{} returned {code} ({library}, no known name)", fault.call)
        }
    };
    match fault.detail.as_str() {
        "" => format!("{returned}."),
        detail => format!("{returned}: {detail}."),
    }
}

/// The library's own name for a code, else the name in cudacheck's tables: some releases of NVML and CUPTI return no
/// name. Libraries may return words instead of a name, such as 'unrecognized error code'.
fn name(fault: &Fault) -> Option<&str> {
    let is_name =
        |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let own = fault.name.as_deref().filter(is_name);
    own.or_else(|| Some(codes::named(Library::of(fault.api)?, fault.code?)?.name))
}

pub fn faults(facts: &Facts, stage: Stage) -> impl Iterator<Item = (&ProbeRun, &Fault)> {
    facts.probes.iter().filter_map(move |run| run.fault(stage).map(|fault| (run, fault)))
}

/// The code that cuInit returned, and the fault in words.
pub fn init_failure(facts: &Facts) -> Option<(i64, String)> {
    faults(facts, Stage::DriverInit).find_map(|(_, fault)| Some((fault.code?, phrase(fault))))
}

/// The call failed because memory is full or another process owns the GPU.
pub fn is_taken(fault: &Fault) -> bool {
    match (fault.api, fault.code) {
        // CUDA_ERROR_OUT_OF_MEMORY and CUDA_ERROR_DEVICE_UNAVAILABLE, and the runtime's names for them.
        (Api::Driver | Api::Runtime, Some(2 | 46)) => true,
        // CUBLAS_STATUS_ALLOC_FAILED
        (Api::Cublas, Some(3)) => true,
        _ => false,
    }
}

/// cuBLAS returns CUBLAS_STATUS_NOT_INITIALIZED if its workspace does not fit into free memory.
pub fn is_starved(facts: &Facts, run: &ProbeRun, fault: &Fault) -> bool {
    let device = facts.devices().find(|device| run.target == Target::Gpu(device.ordinal));
    let free = device.and_then(|device| free_memory(&facts.probes, device));
    (fault.api, fault.code) == (Api::Cublas, Some(1)) && free.is_some_and(|free| free < 1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::sample::{fault, of_api};

    #[test]
    fn faults_are_named_by_the_library_or_by_the_tables_and_never_guessed() {
        let phrase = |api, code, name: Option<&str>, detail: &str| {
            let (name, detail) = (name.map(str::to_owned), detail.to_owned());
            phrase(&Fault { api, call: "call".into(), code, name, detail })
        };
        assert_eq!(phrase(Api::Driver, Some(100), None, ""), "call returned 100 (CUDA_ERROR_NO_DEVICE).");
        assert_eq!(phrase(Api::Driver, Some(100), Some("ITS_OWN"), "x"), "call returned 100 (ITS_OWN): x.");
        assert_eq!(phrase(Api::Nvml, Some(100), None, ""), "call returned 100 (NVML, no known name).");
        assert_eq!(
            phrase(Api::Nvml, Some(9), None, "Driver Not Loaded"),
            "call returned 9 (NVML_ERROR_DRIVER_NOT_LOADED): Driver Not Loaded."
        );
        // What the runtime and cuBLAS return for a code that they do not know.
        let unknown = "unrecognized error code";
        assert_eq!(
            phrase(Api::Runtime, Some(4242), Some(unknown), unknown),
            "call returned 4242 (CUDA runtime, no known name): unrecognized error code."
        );
        assert_eq!(
            phrase(Api::Runtime, Some(803), Some(unknown), ""),
            "call returned 803 (cudaErrorSystemDriverMismatch)."
        );
        assert_eq!(
            phrase(Api::Cublas, Some(4242), Some("<unknown>"), ""),
            "call returned 4242 (cuBLAS, no known name)."
        );
        assert_eq!(phrase(Api::Loader, None, None, "no such file"), "call failed: no such file.");
    }

    #[test]
    fn a_code_means_busy_only_in_the_library_that_defines_it() {
        assert!(is_taken(&fault("cuCtxCreate", 2)) && is_taken(&fault("cuCtxCreate", 46)));
        assert!(is_taken(&of_api(Api::Runtime, "cudaMalloc", 2)));
        assert!(is_taken(&of_api(Api::Cublas, "cublasCreate", 3)));
        assert!(!is_taken(&fault("cuInit", 3)));
        assert!(!is_taken(&of_api(Api::Cublas, "cublasCreate", 2)));
        assert!(!is_taken(&of_api(Api::Nvml, "nvmlInit", 2)));
    }
}
