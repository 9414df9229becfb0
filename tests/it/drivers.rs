//! Real parts without a GPU: drivers, ptxas, CUDA libraries, headers.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::{Object, ObjectSymbol};

use crate::util::{BINARY, PROBE, Root, SOURCE, finding, ids, part, stage, text};

fn find(directory: &Path, test: &dyn Fn(&str) -> bool) -> Option<PathBuf> {
    for entry in fs::read_dir(directory).ok()?.flatten() {
        let kind = entry.file_type().ok()?;
        if kind.is_dir() {
            if let Some(found) = find(&entry.path(), test) {
                return Some(found);
            }
        } else if kind.is_file() && test(&entry.file_name().to_string_lossy()) {
            return Some(entry.path());
        }
    }
    None
}

#[test]
fn real_drivers_from_470_on_have_every_symbol() {
    let output = Command::new(PROBE).arg("--driver-symbols").output().unwrap();
    let symbols = text(&output.stdout);
    assert!(symbols.lines().count() > 25, "{symbols}");
    for driver in ["driver/470", "driver/535"] {
        let Some(part) = part(driver) else { continue };
        let library = find(&part, &|name| name.starts_with("libcuda.so.")).expect("the part has a libcuda");
        let bytes = fs::read(&library).unwrap();
        let file = object::File::parse(bytes.as_slice()).unwrap();
        let exported: Vec<&str> =
            file.dynamic_symbols().filter(|s| s.is_definition()).filter_map(|s| s.name().ok()).collect();
        for symbol in symbols.lines() {
            assert!(exported.contains(&symbol), "{} lacks {symbol}", library.display());
        }
    }
}

#[test]
fn real_assemblers_accept_the_kernel_for_every_gpu() {
    let kernel = Path::new(SOURCE).join("kernels/smoke.ptx");
    let all = [
        "50", "52", "53", "60", "61", "62", "70", "72", "75", "80", "86", "87", "89", "90", "100", "103",
        "110", "120", "121",
    ];
    let mut accepted = Vec::new();
    for (release, at_least) in [("ptxas/11.8", 14), ("ptxas/12.9", 17), ("ptxas/13.5", 9)] {
        let Some(part) = part(release) else { return };
        let ptxas = find(&part, &|name| name == "ptxas").expect("the part has a ptxas");
        let help = text(&Command::new(&ptxas).arg("--help").output().unwrap().stdout);
        let known: Vec<&&str> = all.iter().filter(|sm| help.contains(&format!("'sm_{sm}'"))).collect();
        assert!(known.len() >= at_least, "{release} knows {known:?}");
        for sm in known {
            let output = Command::new(&ptxas)
                .arg(format!("-arch=sm_{sm}"))
                .args(["-o", "/dev/null"])
                .arg(&kernel)
                .output()
                .unwrap();
            assert!(output.status.success(), "{release} sm_{sm}: {}", text(&output.stderr));
            accepted.push(*sm);
        }
    }
    for sm in ["50", "75", "80", "90", "100", "120", "121"] {
        assert!(accepted.contains(&sm), "no release assembled sm_{sm}");
    }
}

/// The real driver libraries without a kernel module: real error codes, and the right finding first.
#[test]
fn a_real_driver_library_without_a_kernel_module() {
    let Some(driver) = part("driver/535") else { return };
    let root = Root::glibc();
    for (stem, soname) in [("libcuda.so.", "libcuda.so.1"), ("libnvidia-ml.so.", "libnvidia-ml.so.1")] {
        let library = find(&driver, &|name| name.starts_with(stem) && name.len() > soname.len()).unwrap();
        root.copy(&library, &format!("/usr/lib/{soname}"));
    }
    for name in ["libdl.so.2", "libpthread.so.0", "librt.so.1", "libm.so.6"] {
        let file = format!("/lib/x86_64-linux-gnu/{name}");
        if Path::new(&file).exists() {
            root.copy(Path::new(&file), &file);
        }
    }
    let (report, status) = root.report(&[]);
    assert_eq!((status, ids(&report)[0]), (1, "launch.driver-not-loaded"), "{report:#}");
    let explained = finding(&report, "launch.driver-not-loaded")["explains"].to_string();
    assert!(explained.contains("driver.init") && explained.contains("driver.nvml"), "{explained}");
    assert_eq!(stage(&report, "nvml-init", None)["outcome"], "failed");
    // As root, the driver's libraries have now made a device node, which must not mislead the second call.
    let (again, status) = root.report(&[]);
    assert_eq!((status, ids(&again)[0]), (1, "launch.driver-not-loaded"), "{again:#}");
    assert_eq!(stage(&report, "driver-init", None)["outcome"], "failed");
}

/// cuBLAS, libcudart and CUPTI of three CUDA releases load from the given files and have every symbol that the probe
/// uses. The cuBLASLt is the one beside cuBLAS.
#[test]
fn real_libraries_of_cuda_11_12_and_13_have_every_symbol() {
    for release in ["cublas/11", "cublas/12", "cublas/13"] {
        let Some(part) = part(release) else { continue };
        let file = |stem: &str| {
            let named = |name: &str| name.strip_prefix(stem).is_some_and(|rest| rest.starts_with(".so."));
            find(&part, &named).unwrap_or_else(|| panic!("{release} has a {stem}"))
        };
        let (lt, cublas) = (file("libcublasLt"), file("libcublas"));
        let cases = [
            ("cudart", vec![file("libcudart")]),
            ("cublas", vec![lt, cublas]),
            ("cupti", vec![file("libcupti")]),
        ];
        for (library, files) in cases {
            let output = Command::new(PROBE).arg("--load").arg(library).args(&files).output().unwrap();
            let mapped = text(&output.stdout);
            for file in &files {
                assert!(mapped.contains(&file.display().to_string()), "{release} {library}: {mapped}");
            }
            if library == "cublas" {
                let versions: Vec<&str> = mapped.lines().next().unwrap().split(' ').collect();
                assert!(versions[0].len() == 6, "{release}: {versions:?}");
                assert_eq!(versions[0], versions[1], "{release}: cuBLAS and cuBLASLt have one version");
            }
            let copies = mapped.lines().filter(|path| path.contains("libcublasLt.so")).count();
            assert!(copies <= 1, "{release}: more than one cuBLASLt: {mapped}");
        }
    }
}

/// `explain` shows each constant under the name in NVIDIA's header.
#[test]
fn error_codes_have_the_names_of_real_headers() {
    let headers = [
        ("cublas/11", "driver", "cuda.h", "CUDA_"),
        ("cublas/12", "driver", "cuda.h", "CUDA_"),
        ("cublas/13", "driver", "cuda.h", "CUDA_"),
        ("cublas/11", "runtime", "driver_types.h", "cuda"),
        ("cublas/12", "runtime", "driver_types.h", "cuda"),
        ("cublas/13", "runtime", "driver_types.h", "cuda"),
        ("cublas/13", "cublas", "cublas_api.h", "CUBLAS_STATUS_"),
        ("cublas/11", "cupti", "cupti_result.h", "CUPTI_"),
        ("cublas/13", "cupti", "cupti_result.h", "CUPTI_"),
        ("torch12", "cudnn", "cudnn_graph_v9.h", "CUDNN_STATUS_"),
        ("torch12", "nvrtc", "nvrtc.h", "NVRTC_"),
    ];
    let mut constants = BTreeSet::new();
    for (name, family, header, prefix) in headers {
        let Some(part) = part(name) else { continue };
        let file = find(&part, &|file| file == header).unwrap_or_else(|| panic!("{name} has a {header}"));
        let text = text(&fs::read(file).unwrap());
        // `NAME = 3,` of status enums; other enums have other prefixes.
        let constant = |line: &str| {
            let (constant, number) = line.trim().trim_end_matches(',').split_once('=')?;
            let rest = constant.trim().strip_prefix(prefix)?.to_ascii_lowercase();
            let status = prefix.ends_with("STATUS_") || rest.starts_with("error") || rest == "success";
            let number = number.trim().parse::<u32>().ok()?;
            status.then(|| (family, number, constant.trim().to_owned()))
        };
        let found: Vec<_> = text.lines().filter_map(constant).collect();
        assert!(found.len() >= 10, "{name} {header}: {found:?}");
        constants.extend(found);
    }
    for (family, number, constant) in constants {
        let output = Command::new(BINARY).arg("explain").arg(format!("{family}:{number}")).output().unwrap();
        let explained = text(&output.stdout);
        assert!(
            explained.contains(&format!(" {number}: {constant}\n")),
            "{family} {number} is {constant}: {explained}"
        );
    }
}
