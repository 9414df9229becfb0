use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::*;

/// Every row has a meaning, numbers ascend, and names and sentences have the right form.
#[test]
fn tables_are_sorted_and_plain() {
    let tables = [
        (Library::Driver, driver::TABLE),
        (Library::Runtime, runtime::TABLE),
        (Library::Nvml, nvml::TABLE),
        (Library::Cublas, cublas::TABLE),
        (Library::Cudnn, cudnn::TABLE),
        (Library::Nvrtc, nvrtc::TABLE),
        (Library::Cupti, cupti::TABLE),
    ];
    assert_eq!(tables.map(|(library, _)| library), Library::ALL);
    for (library, table) in tables {
        let codes: Vec<Code> = library.codes().collect();
        assert_eq!(codes.len(), table.len(), "{library:?}: every row has a meaning");
        assert!(codes.len() >= 10);
        assert!(codes.is_sorted_by(|one, next| one.number < next.number), "{library:?}");
        let names: BTreeSet<&str> = codes.iter().map(|code| code.name).collect();
        // cuDNN 9 renumbered old names.
        assert!(names.len() == codes.len() || library == Library::Cudnn, "{library:?}: names are unique");
        for Code { number, name, meaning } in codes {
            let bare = squeezed(name);
            assert!(library.prefixes().iter().any(|prefix| bare.starts_with(prefix)), "{name}");
            assert!(meaning.ends_with('.') && meaning.is_ascii() && meaning.len() > 15, "{name}: {meaning}");
            assert!(!meaning.contains("  "), "{name}: {meaning}");
            assert!(named(library, number).is_some_and(|code| code.name == name));
            let shared = table.iter().any(|row| row.number == number && row.meaning.is_none());
            let driver = named(Library::Driver, number).map(|code| code.meaning);
            assert!(!shared || library == Library::Runtime && driver == Some(meaning), "{name}: {meaning}");
        }
    }
}

/// From manuals and bug reports, independent of the bindings.
#[test]
fn well_known_numbers() {
    let known = [
        (Library::Driver, 0, "CUDA_SUCCESS"),
        (Library::Driver, 34, "CUDA_ERROR_STUB_LIBRARY"),
        (Library::Driver, 46, "CUDA_ERROR_DEVICE_UNAVAILABLE"),
        (Library::Driver, 100, "CUDA_ERROR_NO_DEVICE"),
        (Library::Driver, 214, "CUDA_ERROR_ECC_UNCORRECTABLE"),
        (Library::Driver, 304, "CUDA_ERROR_OPERATING_SYSTEM"),
        (Library::Driver, 802, "CUDA_ERROR_SYSTEM_NOT_READY"),
        (Library::Driver, 803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"),
        (Library::Driver, 804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE"),
        (Library::Driver, 999, "CUDA_ERROR_UNKNOWN"),
        (Library::Runtime, 2, "cudaErrorMemoryAllocation"),
        (Library::Runtime, 35, "cudaErrorInsufficientDriver"),
        (Library::Runtime, 209, "cudaErrorNoKernelImageForDevice"),
        (Library::Runtime, 222, "cudaErrorUnsupportedPtxVersion"),
        (Library::Runtime, 804, "cudaErrorCompatNotSupportedOnDevice"),
        (Library::Nvml, 4, "NVML_ERROR_NO_PERMISSION"),
        (Library::Nvml, 9, "NVML_ERROR_DRIVER_NOT_LOADED"),
        (Library::Nvml, 15, "NVML_ERROR_GPU_IS_LOST"),
        (Library::Nvml, 18, "NVML_ERROR_LIB_RM_VERSION_MISMATCH"),
        (Library::Nvml, 999, "NVML_ERROR_UNKNOWN"),
        (Library::Cublas, 1, "CUBLAS_STATUS_NOT_INITIALIZED"),
        (Library::Cublas, 15, "CUBLAS_STATUS_NOT_SUPPORTED"),
        (Library::Cudnn, 1, "CUDNN_STATUS_NOT_INITIALIZED"),
        (Library::Cudnn, 1002, "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH"),
        (Library::Cudnn, 5000, "CUDNN_STATUS_EXECUTION_FAILED"),
        (Library::Nvrtc, 7, "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE"),
        (Library::Cupti, 35, "CUPTI_ERROR_INSUFFICIENT_PRIVILEGES"),
        (Library::Cupti, 39, "CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED"),
    ];
    for (library, number, name) in known {
        assert_eq!(named(library, number).map(|code| code.name), Some(name), "{library:?} {number}");
    }
}

/// The probe's bindings have exactly these numbers: fails when a new release of theirs adds some.
#[test]
fn the_bindings_have_the_same_numbers() {
    // Packages for other platforms have not been downloaded.
    let platform = format!("--filter-platform={}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--offline",
            "--features=cudacheck-probe/program",
            &platform,
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let source = |package: &str, file: &str| {
        let packages = metadata["packages"].as_array().unwrap();
        let found = packages.iter().find(|found| found["name"] == package).expect(package);
        let manifest = PathBuf::from(found["manifest_path"].as_str().unwrap());
        fs::read_to_string(manifest.with_file_name("src").join(file)).unwrap()
    };
    // `NAME = 3,` in all enums of that name: there is one for each range of CUDA releases.
    let members = |file: &str, name: &str| {
        let text = source("cudarc", file);
        let start = format!("pub enum {name} {{");
        let bodies = text.split(&start).skip(1).map(|rest| rest.split('}').next().unwrap().to_owned());
        let lines: Vec<String> =
            bodies.flat_map(|body| body.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        let member = |line: &String| {
            let (name, number) = line.trim().trim_end_matches(',').split_once(" = ")?;
            Some((number.parse::<i64>().ok()?, name.to_owned()))
        };
        lines.iter().filter_map(member).collect::<BTreeSet<_>>()
    };
    let mut bindings = vec![
        (Library::Driver, members("driver/sys/mod.rs", "cudaError_enum")),
        (Library::Runtime, members("runtime/sys/mod.rs", "cudaError")),
        (Library::Cublas, members("cublas/sys/mod.rs", "cublasStatus_t")),
        (Library::Cudnn, members("cudnn/sys/mod.rs", "cudnnStatus_t")),
        (Library::Nvrtc, members("nvrtc/sys/mod.rs", "nvrtcResult")),
        (Library::Cupti, members("cupti/sys/mod.rs", "CUptiResult")),
    ];
    let nvml = source("nvml-wrapper-sys", "bindings.rs");
    let constant = |line: &str| {
        let (name, number) = line
            .strip_prefix("pub const nvmlReturn_enum_")?
            .trim_end_matches(';')
            .split_once(": nvmlReturn_enum = ")?;
        Some((number.parse::<i64>().ok()?, name.to_owned()))
    };
    bindings.push((Library::Nvml, nvml.lines().filter_map(constant).collect()));
    for (library, mut binding) in bindings {
        // It only widens the enum to an int.
        binding.retain(|(_, name)| name != "CUPTI_ERROR_FORCE_INT");
        let ours: BTreeSet<_> = library.codes().map(|code| (code.number, code.name.to_owned())).collect();
        let differ: Vec<_> = binding.symmetric_difference(&ours).collect();
        assert!(binding.len() >= 10 && differ.is_empty(), "{library:?}: {differ:?}");
    }
}

#[test]
fn numbers_and_names_are_found_however_they_are_written() {
    let found = |text: &str| -> Vec<String> {
        find(text).iter().map(|(library, code)| format!("{}:{}", library.key(), code.number)).collect()
    };
    assert_eq!(found("803"), ["driver:803", "runtime:803"]);
    assert_eq!(found(" 36 "), ["driver:36", "runtime:36", "cupti:36"]);
    assert_eq!(found("nvml:999"), ["nvml:999"]);
    assert_eq!(found("NVML: 999"), ["nvml:999"]);
    assert_eq!(found("driver:no_device"), ["driver:100"]);
    for text in ["CUDA_ERROR_SYSTEM_NOT_READY", "cuda_error_system_not_ready", "cudaErrorSystemNotReady"] {
        assert_eq!(found(text), ["driver:802", "runtime:802"], "{text}");
    }
    assert_eq!(found("system_not_ready"), ["driver:802", "runtime:802"]);
    assert_eq!(found("SystemNotReady"), ["driver:802", "runtime:802"]);
    assert_eq!(found("lib_rm_version_mismatch"), ["nvml:18"]);
    assert_eq!(found("CUDNN_STATUS_NOT_INITIALIZED"), ["cudnn:1", "cudnn:1001"]);
    assert_eq!(found("NOT_INITIALIZED"), ["driver:3", "cublas:1", "cudnn:1", "cudnn:1001", "cupti:15"]);
    assert_eq!(found("cudaSuccess"), ["driver:0", "runtime:0"]);
    for text in ["", ":", "nvml:", "nvml:803", "other:803", "4242", "-1", "8 03", "error", "CUDA_ERROR_"] {
        assert_eq!(found(text), [""; 0], "{text}");
    }
}
