//! Flags, environment variables, configuration files, exit codes, help. Wrong use: one line that names the fix, and
//! status 2.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::util::{BINARY, Root, ids, report, text};

fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(BINARY).args(arguments).output().unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn bad_input_is_refused_with_the_fix() {
    let cases: &[(&[&str], &str)] = &[
        (&["--levle", "nvml"], "--level"),
        (&["--level", "deep"], "image, nvml, driver, smoke, gemm"),
        (&["--gpus", "first"], "UUID"),
        (&["--gpus", "GPU-1"], "UUID"),
        (&["--timeout", "soon"], "30s"),
        (&["--timeout", "1ms"], "10ms"),
        (&["--require-gpus", "-1"], "--require-gpus"),
        (&["--format", "xml"], "human, json"),
        (&["image", "/nowhere/at/all"], "/nowhere/at/all"),
        (&["image", "/etc/passwd"], "cannot read /etc/passwd"),
        (&["image", "/", "--arch", "hopper"], "sm_90"),
        (&["image", "/", "--max-redundant", "much"], "200MB"),
        (&["image", "/", "--env", "X"], "NAME=VALUE"),
        (&["image", "/etc", "--ldd", "/nothing"], "/nothing"),
        (&["explain", "no.such"], "cudacheck explain"),
        (&["explain", "launch.not-reqested"], "launch.not-requested"),
        (&["explain", "CUDA_ERROR_NO_DEVISE"], "CUDA_ERROR_NO_DEVICE"),
        (&["explain", "4242"], "4242"),
        (&["explain", "-1"], "-1"),
        (&["explain", "--bogus"], "--bogus"),
        (&["explain", "99999999999999999999"], "99999999999999999999"),
        (&["explain", "nvml:803"], "CUDA driver, CUDA runtime"),
        (&["explain", "nvml:4242"], "nvml:4242"),
        (&["explain", "nvidia:803"], "driver, runtime, nvml, cublas, cudnn, nvrtc, cupti"),
        (&["helath"], "health"),
    ];
    for (arguments, fix) in cases {
        let (status, out, error) = run(arguments);
        assert_eq!(status, 2, "{arguments:?}: {error}");
        assert_eq!(out, "", "{arguments:?} prints nothing on standard output");
        assert!(error.contains(fix), "{arguments:?} names the fix: {error}");
    }
    let (status, _, error) = run(&["explain", "8033"]);
    assert!(status == 2 && error.replace("8033", "").contains("803"), "a code with a typo: {error}");
}

/// Docker reserves status 2 for itself.
#[test]
fn a_health_check_with_a_wrong_flag_exits_with_1() {
    for arguments in [
        &["health", "--levle", "nvml"][..],
        &["health", "--level", "deep"],
        &["health", "--timeout", "soon"],
        &["health", "--config", "x"],
        &["--level", "nvml", "health"],
        &["--gpus", "0", "health", "--for", "liveness"],
        &["--bogus", "health"],
    ] {
        let (status, _, error) = run(arguments);
        assert_eq!(status, 1, "{arguments:?}: {error}");
        let named = arguments.iter().any(|each| each.starts_with("--") && error.contains(each));
        assert!(named || error.contains("--level"), "{error}");
    }
    assert_eq!(run(&["health", "--help"]).0, 0);
}

/// The requested level of a JSON report.
fn requested(output: &Output) -> String {
    report(output)["requested"].as_str().unwrap().to_owned()
}

#[test]
fn a_flag_overrides_a_variable_overrides_the_file_overrides_the_default() {
    // Without glibc no probe is started, and the report still shows what was requested.
    let level = |variable: Option<&str>, arguments: &[&str]| {
        let mut root = Root::empty();
        root.write("/cudacheck.json", br#"{"level": "driver", "format": "json"}"#);
        if let Some(value) = variable {
            root.set("CUDACHECK_LEVEL", value);
        }
        requested(&root.run(arguments))
    };
    let file = ["--config", "/cudacheck.json"];
    let and_flag = [&file[..], &["--level", "smoke"]].concat();
    assert_eq!(level(None, &["--format", "json"]), "gemm", "the default");
    assert_eq!(level(None, &file), "driver", "the file overrides the default");
    assert_eq!(level(Some("nvml"), &file), "nvml", "the variable overrides the file");
    assert_eq!(level(Some("nvml"), &and_flag), "smoke", "the flag overrides the variable");
    assert_eq!(level(None, &and_flag), "smoke", "the flag overrides the file");
    assert_eq!(level(Some(""), &file), "driver", "an empty variable is not set");
    assert_eq!(level(Some(""), &["--format", "json"]), "gemm", "an empty variable is not set");
}

#[test]
fn the_audit_has_the_same_precedence() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("cudacheck.json");
    fs::write(&config, r#"{"format": "json"}"#).unwrap();
    let format = |variable: &str, arguments: &[&str]| {
        let output = Command::new(BINARY)
            .arg("image")
            .arg(directory.path())
            .arg("--config")
            .arg(&config)
            .args(arguments)
            .env("CUDACHECK_FORMAT", variable)
            .output()
            .unwrap();
        match serde_json::from_slice::<Value>(&output.stdout) {
            Ok(log) if log["version"] == "2.1.0" => "sarif",
            Ok(_) => "json",
            Err(_) => "human",
        }
    };
    assert_eq!(format("", &[]), "json");
    assert_eq!(format("sarif", &[]), "sarif");
    assert_eq!(format("sarif", &["--format", "human"]), "human");
}

#[test]
fn variables_with_bad_values_are_refused() {
    for (name, fix) in [
        ("CUDACHECK_LEVEL", "image, nvml, driver, smoke, gemm"),
        ("CUDACHECK_TIMEOUT", "30s"),
        ("CUDACHECK_GPUS", "UUID"),
    ] {
        let output = Command::new(BINARY).env(name, "bogus").output().unwrap();
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {error}");
        assert!(error.contains("bogus") && error.contains(fix), "{name}: {error}");
    }
}

/// Compose files and pod specs set them for the main command of the same container.
#[test]
fn variables_of_the_main_command_do_not_affect_a_subcommand() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    for name in ["CUDACHECK_TIMEOUT", "CUDACHECK_LEVEL", "CUDACHECK_GPUS", "CUDACHECK_REQUIRE_GPUS"] {
        for arguments in [&["image", path][..], &["explain", "launch.not-requested"], &["health", "--help"]] {
            let output = Command::new(BINARY).args(arguments).env(name, "bogus").output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{name} and {arguments:?}: {}", text(&output.stderr));
        }
    }
    // A valid value does not reach the audit either: its levels are census and full.
    let output = Command::new(BINARY)
        .args(["image", path, "--format", "json"])
        .env("CUDACHECK_LEVEL", "gemm")
        .output()
        .unwrap();
    assert_eq!((output.status.code(), requested(&output).as_str()), (Some(0), "image"));
}

/// The value of a flag is not a subcommand.
#[test]
fn a_configuration_may_have_the_name_of_a_subcommand() {
    let mut root = Root::empty();
    root.set("CUDACHECK_FORMAT", "json");
    for name in ["serve", "health", "image", "explain"] {
        root.write(name, br#"{"level": "nvml"}"#);
        let output = root.run(&["--config", name]);
        assert_eq!(requested(&output), "nvml", "{name}: {}", text(&output.stderr));
    }
    root.write("health", br#"{"level": "deep"}"#);
    let output = root.run(&["--config", "health"]);
    assert_eq!(output.status.code(), Some(2), "only a health check exits with 1: {}", text(&output.stderr));
}

const JSON: &str = r#"{
    "level": "nvml", "gpus": ["0", "1"], "require-gpus": 2, "timeout": "20s", "format": "json", "fail-on": "warning",
    "env": ["LD_LIBRARY_PATH=/opt/lib:"], "arch": "sm_90", "on": ["pool"], "max-redundant": "1GB",
    "accepted": [{"id": "library.working-directory", "reason": "known", "until": "2999-12-31"}],
    "machines": {"pool": {"gpu": "H100", "driver": "550.54.15", "open-module": true}}
}"#;

const TOML: &str = r#"
# The same as the JSON above.
level = "nvml"
gpus = ["0", "1"]
require-gpus = 2
timeout = "20s"
format = "json"
fail-on = "warning"
env = ["LD_LIBRARY_PATH=/opt/lib:"]
arch = "sm_90"
on = ["pool"]
max-redundant = "1GB"

[[accepted]]
id = "library.working-directory"
reason = "known"
until = 2999-12-31

[machines.pool]
gpu = "H100"
driver = "550.54.15"
open-module = true
"#;

#[test]
fn toml_and_json_configure_the_same() {
    let root = Root::machine("gpus = 2");
    root.write("/cudacheck.json", JSON.as_bytes());
    root.write("/cudacheck.toml", TOML.as_bytes());
    let verified = ["/cudacheck.json", "/cudacheck.toml"].map(|file| root.run(&["--config", file]));
    for output in &verified {
        assert_eq!(requested(output), "nvml");
        assert!(!ids(&report(output)).contains(&"driver.too-few"));
    }
    assert_eq!(verified[0].status, verified[1].status);
    assert_eq!(ids(&report(&verified[0])), ids(&report(&verified[1])));

    let audited = ["cudacheck.json", "cudacheck.toml"].map(|file| {
        let output = Command::new(BINARY)
            .args(["image", root.path("/usr/lib").to_str().unwrap(), "--config"])
            .arg(root.path(file))
            .output()
            .unwrap();
        let report = report(&output);
        assert_eq!(report["accepted"][0]["finding"]["id"], "library.working-directory", "{file}: {report:#}");
        assert_eq!(report["predictions"][0]["machine"], "pool", "{file}");
        (output.status.code(), report["findings"].clone(), report["predictions"].clone())
    });
    assert_eq!(audited[0], audited[1]);
}

#[test]
fn a_bad_configuration_names_the_file_the_key_and_what_is_expected() {
    // Key or value, and a part of what would be right.
    let cases = [
        (r#"{"levle": "nvml"}"#, "levle = \"nvml\"", "levle", "level"),
        (r#"{"level": "deep"}"#, "level = \"deep\"", "level", "gemm"),
        (r#"{"level": 3}"#, "level = 3", "level", ""),
        (r#"{"require-gpus": "two"}"#, "require-gpus = \"two\"", "require-gpus", ""),
        (r#"{"require-gpus": true}"#, "require-gpus = true", "require-gpus", ""),
        (r#"{"timeout": "soon"}"#, "timeout = \"soon\"", "timeout", "30s"),
        (r#"{"gpus": ["first"]}"#, "gpus = [\"first\"]", "gpus", "UUID"),
        (r#"{"fail-on": "never"}"#, "fail-on = \"never\"", "fail-on", "warning"),
        (r#"{"accepted": {}}"#, "accepted = {}", "accepted", "reason"),
        (r#"{"machines": ["T4"]}"#, "machines = [\"T4\"]", "machines", "driver"),
        (r#"{"level": }"#, "level =", "", ""),
        ("[1]", "1", "", ""),
    ];
    let root = Root::empty();
    for (json, toml, key, expected) in cases {
        for (file, content) in [("/cudacheck.json", json), ("/cudacheck.toml", toml)] {
            root.write(file, content.as_bytes());
            let output = root.run(&["--config", file]);
            let error = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{content}: {error}");
            assert!(output.stdout.is_empty(), "{content}");
            for part in [file, key, expected] {
                assert!(error.contains(part), "{content}: '{part}' is not in: {error}");
            }
        }
    }
    let output = root.run(&["--config", "/nowhere.json"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("/nowhere.json"), "{}", text(&output.stderr));
}

#[test]
fn a_gpu_that_does_not_exist_is_wrong_use() {
    let root = Root::machine("gpus = 2");
    let output = root.run(&["--gpus", "5", "--level", "driver"]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("GPU 5") && error.contains("0 (GPU-0000"), "{error}");
}

#[test]
fn help_is_as_recorded() {
    let (status, help, _) = run(&["--help"]);
    assert_eq!(status, 0);
    insta::assert_snapshot!("help", help);
}

#[test]
fn explain_lists_findings_by_family_and_shows_one() {
    let (status, list, _) = run(&["explain"]);
    assert_eq!(status, 0);
    assert!(list.lines().count() > 30, "{list}");
    let place = |words: &str| list.find(words).unwrap_or_else(|| panic!("{words}: {list}"));
    assert!(place("\n  launch.not-requested ") < place("\n  driver.init "), "{list}");
    let between = &list[place("\n  launch.not-requested ")..place("\n  driver.init ")];
    assert!(between.contains("\n\n"), "families are apart: {between}");
    let (status, one, _) = run(&["explain", "launch.not-requested"]);
    assert_eq!(status, 0);
    assert!(one.contains("docker run --gpus all"), "{one}");
    let (status, family, _) = run(&["explain", "launch"]);
    assert_eq!(status, 0);
    assert!(family.contains("\n  launch.not-requested ") && !family.contains("predict.no-code"), "{family}");
}

/// A code or its name shows the libraries that return it and the findings that list it, and no others.
#[test]
fn explain_shows_error_codes() {
    let explain = |what: &str| {
        let (status, text, error) = run(&["explain", what]);
        assert_eq!((status, error.as_str()), (0, ""), "{what}");
        text
    };
    let unknown = explain("nvml:999");
    assert!(unknown.starts_with("NVML 999: NVML_ERROR_UNKNOWN\n"), "{unknown}");
    assert!(unknown.contains("\n  launch.device-denied: "), "{unknown}");
    assert!(!unknown.contains("launch.not-requested"), "{unknown}");
    // Several libraries return this one: each finding shows which of them it is about.
    let too_old = explain("35");
    assert!(too_old.contains("CUDA runtime 35: cudaErrorInsufficientDriver\n  "), "{too_old}");
    assert!(too_old.contains("CUPTI 35: CUPTI_ERROR_INSUFFICIENT_PRIVILEGES\n  "), "{too_old}");
    assert!(too_old.contains("\n  math.driver-too-old (CUDA runtime): "), "{too_old}");
    assert!(too_old.contains("\n  math.counters (CUPTI): "), "{too_old}");
    assert!(!explain("cupti:35").contains("math.driver-too-old"));
    // Names in upper or lower case, with or without prefix.
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
    // Pasted from a log, and in hexadecimal.
    for text in ["0x323", " 803 ", "driver:803 (0x323)", "CUDA error 803: system has unsupported driver"] {
        assert_eq!(explain(text), mismatch, "{text}");
    }
    assert_eq!(explain("nvml:0x3E7"), unknown);
    assert_eq!(explain("error 35"), too_old);
    assert_eq!(explain("CUDA_ERROR_SYSTEM_NOT_READY (802)"), explain("CUDA_ERROR_SYSTEM_NOT_READY"));
    // An id in upper or lower case, without its family, or inside a sentence.
    let no_code = explain("predict.no-code");
    for text in ["no-code", "PREDICT.No-Code\n", "see predict.no-code."] {
        assert_eq!(explain(text), no_code, "{text}");
    }
    // A code that no finding lists has a meaning and no remedy.
    let rare = explain("CUDNN_STATUS_NOT_SUPPORTED_PADDING");
    assert!(rare.starts_with("cuDNN 3011: CUDNN_STATUS_NOT_SUPPORTED_PADDING\n"), "{rare}");
    assert!(!rare.contains("Remedy") && !rare.contains("\n  math."), "{rare}");
}

#[test]
fn a_closed_output_does_not_panic() {
    let mut child = Command::new(BINARY)
        .arg("explain")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_ne!(output.status.code(), Some(101));
    assert!(!text(&output.stderr).contains("panicked"), "{}", text(&output.stderr));
}
