//! Flags, bad input, exit codes, help: one clear line that names the fix, and status 2.

use std::process::Command;

use crate::util::{BINARY, Root, text};

fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(BINARY).args(arguments).output().unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn bad_input_is_refused_with_the_fix() {
    let cases: &[(&[&str], &str)] = &[
        (&["--levle", "nvml"], "--level"),
        (&["--level", "deep"], "possible values: image, nvml, driver, smoke, gemm"),
        (&["--gpus", "first"], "a GPU is an index such as 0, or a UUID"),
        (&["--gpus", "GPU-1"], "a GPU is an index such as 0, or a UUID"),
        (&["--timeout", "soon"], "a time is a number with a unit, such as 500ms, 30s or 2m"),
        (&["--timeout", "1ms"], "a deadline is at least 10ms"),
        (&["--require-gpus", "-1"], "--require-gpus"),
        (&["--format", "xml"], "possible values: human, json"),
        (
            &["image", "/nowhere/at/all"],
            "cannot list /nowhere/at/all: name a root directory, an image archive (docker save), an OCI layout",
        ),
        (&["image", "/etc/passwd"], "cannot read /etc/passwd as an image archive"),
        (&["image", "/", "--arch", "hopper"], "an architecture is a compute capability such as sm_90"),
        (&["image", "/", "--max-redundant", "much"], "a size is a number with a unit, such as 200MB"),
        (&["image", "/", "--env", "X"], "a variable is NAME=VALUE"),
        (&["image", "/etc", "--ldd", "/nothing"], "/nothing is no program or library of the image"),
        (&["explain", "no.such"], "`cudacheck explain` lists all findings"),
        (&["explain", "launch.not-reqested"], "did you mean launch.not-requested?"),
        (&["explain", "CUDA_ERROR_NO_DEVISE"], "did you mean CUDA_ERROR_NO_DEVICE"),
        (&["explain", "4242"], "unknown error code 4242. cudacheck knows the return codes of"),
        (&["explain", "8033"], "Similar: 803."),
        (&["explain", "-1"], "no library returns -1: error codes start at 0"),
        (&["explain", "--bogus"], "unknown finding or error code '--bogus'"),
        (&["explain", "99999999999999999999"], "unknown error code"),
        (&["explain", "nvml:803"], "NVML has no error code 803; found in CUDA driver, CUDA runtime"),
        (&["explain", "nvml:4242"], "unknown error code nvml:4242"),
        (
            &["explain", "nvidia:803"],
            "use one of driver, runtime, nvml, cublas, cudnn, nvrtc, cupti before the colon",
        ),
        (&["helath"], "health"),
    ];
    for (arguments, fix) in cases {
        let (status, out, error) = run(arguments);
        assert_eq!(status, 2, "{arguments:?}: {error}");
        assert_eq!(out, "", "{arguments:?} prints nothing on standard output");
        assert!(error.contains(fix), "{arguments:?} names the fix: {error}");
    }
}

/// Docker reserves 2 for itself.
#[test]
fn a_health_check_ends_with_0_or_1_even_if_it_is_written_wrongly() {
    let (status, _, error) = run(&["health", "--levle", "nvml"]);
    assert_eq!(status, 1);
    assert!(error.contains("--level"), "{error}");
    assert_eq!(run(&["health", "--help"]).0, 0);
}

#[test]
fn bad_values_in_the_environment_are_refused_as_well() {
    let output = Command::new(BINARY).env("CUDACHECK_LEVEL", "deep").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("possible values"), "{}", text(&output.stderr));
}

#[test]
fn a_configuration_says_what_flags_say() {
    let root = Root::machine("gpus = 2");
    root.write("/cudacheck.json", br#"{"level": "driver", "require-gpus": 2, "format": "json"}"#);
    let level =
        |output: &std::process::Output| crate::util::report(output)["requested"].as_str().unwrap().to_owned();
    let output = root.run(&["--config", "/cudacheck.json"]);
    assert_eq!((output.status.code(), level(&output).as_str()), (Some(0), "driver"));
    let output = root.run(&["--config", "/cudacheck.json", "--level", "nvml"]);
    assert_eq!(level(&output), "nvml", "a flag goes before the file");
    let mut root = root;
    root.set("CUDACHECK_LEVEL", "nvml");
    assert_eq!(level(&root.run(&["--config", "/cudacheck.json"])), "nvml", "a variable as well");
    for (text, words) in [
        (r#"{"level": }"#, "is no configuration: an object in JSON"),
        (r#"{"levle": "nvml"}"#, "unknown key 'levle'; keys are level, gpus"),
        (r#"{"require-gpus": "two"}"#, "--require-gpus"),
        (r#"{"require-gpus": true}"#, "takes what --require-gpus takes"),
        (r#"{"timeout": "soon"}"#, "a time is a number with a unit"),
    ] {
        root.write("/cudacheck.json", text.as_bytes());
        let output = root.run(&["--config", "/cudacheck.json"]);
        let error = crate::util::text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(error.contains(words), "{text}: {error}");
        assert!(output.stdout.is_empty());
    }
    let output = root.run(&["--config", "/nowhere.json"]);
    assert!(crate::util::text(&output.stderr).contains("name a file that exists"));
}

#[test]
fn a_gpu_that_does_not_exist_is_a_mistake_of_the_caller() {
    let root = Root::machine("gpus = 2");
    let output = root.run(&["--gpus", "5", "--level", "driver"]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("there is no GPU 5 here; --gpus takes one of: 0 (GPU-0000"), "{error}");
}

#[test]
fn help_and_explanations() {
    let (status, help, _) = run(&["--help"]);
    assert_eq!(status, 0);
    insta::assert_snapshot!("help", help);
    let (status, list, _) = run(&["explain"]);
    assert_eq!(status, 0);
    assert!(list.lines().count() > 30, "{list}");
    let place = |words: &str| list.find(words).unwrap_or_else(|| panic!("{words}: {list}"));
    assert!(
        place("How the container is started\n  launch.") < place("\n\nThe driver and NVML\n  driver."),
        "{list}"
    );
    assert!(place("\n  launch.not-requested ") < place("\n\nThe driver and NVML\n"), "{list}");
    let (status, one, _) = run(&["explain", "launch.not-requested"]);
    assert_eq!(status, 0);
    assert!(one.contains("docker run --gpus all"), "{one}");
}

/// A number or a name leads to the libraries that have it and the findings that list it, and to no others.
#[test]
fn numbers_are_explained() {
    let explain = |what: &str| {
        let (status, text, error) = run(&["explain", what]);
        assert_eq!((status, error.as_str()), (0, ""), "{what}");
        text
    };
    let unknown = explain("nvml:999");
    assert!(unknown.starts_with("NVML 999: NVML_ERROR_UNKNOWN\n  The driver failed"), "{unknown}");
    assert!(
        unknown.contains("\n  launch.device-denied: The device cgroup forbids the GPU's nodes\n    Remedy: ")
    );
    assert!(!unknown.contains("launch.not-requested"), "{unknown}");
    // One number in several libraries: which of them a finding is about is told.
    let too_old = explain("35");
    assert!(too_old.contains("CUDA runtime 35: cudaErrorInsufficientDriver\n  "), "{too_old}");
    assert!(too_old.contains("CUPTI 35: CUPTI_ERROR_INSUFFICIENT_PRIVILEGES\n  "), "{too_old}");
    assert!(too_old.contains("\n  math.driver-too-old (CUDA runtime): "), "{too_old}");
    assert!(too_old.contains("\n  math.counters (CUPTI): "), "{too_old}");
    assert!(!explain("cupti:35").contains("math.driver-too-old"));
    // Names in any case, with and without what they begin with.
    let mismatch = explain("803");
    assert!(
        mismatch.starts_with(
            "CUDA driver 803: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH\nCUDA runtime 803: cudaErrorSystemDriverMismatch\n  "
        ),
        "{mismatch}"
    );
    for name in
        ["CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "cudaerrorsystemdrivermismatch", "system_driver_mismatch"]
    {
        assert_eq!(explain(name), mismatch, "{name}");
    }
    assert!(
        explain("CUDA_ERROR_SYSTEM_NOT_READY").starts_with("CUDA driver 802: CUDA_ERROR_SYSTEM_NOT_READY\n")
    );
    // Taken out of a line of a log, and in hexadecimal.
    for text in ["0x323", " 803 ", "driver:803 (0x323)", "CUDA error 803: system has unsupported driver"] {
        assert_eq!(explain(text), mismatch, "{text}");
    }
    assert_eq!(explain("nvml:0x3E7"), unknown);
    assert_eq!(explain("error 35"), too_old);
    assert_eq!(explain("CUDA_ERROR_SYSTEM_NOT_READY (802)"), explain("CUDA_ERROR_SYSTEM_NOT_READY"));
    // A finding in any case, by the last part of its id, in a text; a family lists its own.
    let no_code = explain("predict.no-code");
    for text in ["no-code", "PREDICT.No-Code\n", "see predict.no-code."] {
        assert_eq!(explain(text), no_code, "{text}");
    }
    let launch = explain("launch");
    assert!(
        launch.starts_with("How the container is started\n  launch.") && !launch.contains("predict.no-code")
    );
    // The meaning of a number that no finding lists, and no remedy made up for it.
    let rare = explain("CUDNN_STATUS_NOT_SUPPORTED_PADDING");
    assert!(rare.starts_with("cuDNN 3011: CUDNN_STATUS_NOT_SUPPORTED_PADDING\n"), "{rare}");
    assert!(rare.contains("\nNo finding lists it: ") && !rare.contains("Remedy"), "{rare}");
}

#[test]
fn a_closed_output_is_no_panic() {
    let mut child = Command::new(BINARY)
        .arg("explain")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
}
