//! `cudacheck health`: which faults fail which probe, GPU selection, resource limits.

use std::fs::{self, File};
use std::process::{Command, Output, Stdio};

use crate::util::{BINARY, Root, alone, fakes, ids, is_root, report, skip, text};

/// On the host's root, with fakes that follow a script.
fn command(script: &str) -> (Command, tempfile::NamedTempFile) {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), script).unwrap();
    let mut command = alone(BINARY);
    command.arg("health").env("LD_LIBRARY_PATH", fakes()).env("FAKE_GPU", file.path());
    (command, file)
}

fn health(script: &str, environment: &[(&str, &str)], arguments: &[&str]) -> (i32, String) {
    let (mut command, _script) = command(script);
    let output = command.envs(environment.iter().copied()).args(arguments).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    answer(&output)
}

/// Exit status, line, and the id of the leading finding, which the saved facts have.
fn judged(script: &str, environment: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let facts = tempfile::NamedTempFile::new().unwrap();
    let path = facts.path().to_str().unwrap();
    let (status, line) = health(script, environment, &[arguments, &["--save-facts", path]].concat());
    let output =
        Command::new(BINARY).args(["--from-facts", path, "--format", "json"]).env_clear().output().unwrap();
    let report = report(&output);
    let leading = ids(&report).first().map_or(String::new(), |id| (*id).to_owned());
    (status, line, leading)
}

/// Whether the first line is that of a healthy container with this many GPUs. Warnings may follow.
fn is_healthy(text: &str, gpus: usize) -> bool {
    let words: Vec<&str> = text.lines().next().unwrap_or_default().split(' ').collect();
    words.len() > 2
        && words[..2] == ["healthy:", &gpus.to_string()]
        && words[2] == if gpus == 1 { "GPU" } else { "GPUs" }
}

fn answer(output: &Output) -> (i32, String) {
    (output.status.code().unwrap_or(-1), text(&output.stdout))
}

#[test]
fn a_broken_driver_fails_readiness_and_startup_but_not_liveness() {
    for (purpose, status, first) in [
        (&[][..], 1, "unhealthy: "),
        (&["--for", "readiness"], 1, "unhealthy: "),
        (&["--for", "startup"], 1, "unhealthy: "),
        (&["--for", "liveness"], 0, "alive: "),
    ] {
        let arguments = [&["--level", "driver"], purpose].concat();
        let (seen, line) = health("cuInit = 999", &[], &arguments);
        assert_eq!(seen, status, "{purpose:?}: {line}");
        assert!(line.starts_with(first) && line.contains("999") && line.contains(" -> "), "{line}");
        // The variable does the same.
        if let [_, name] = purpose {
            let (by_variable, _) = health("cuInit = 999", &[("CUDACHECK_FOR", name)], &["--level", "driver"]);
            assert_eq!(by_variable, status, "CUDACHECK_FOR={name}");
        }
        let (healthy, line) = health("gpus = 1", &[], &arguments);
        assert!(healthy == 0 && is_healthy(&line, 1), "{purpose:?}: {line}");
    }
}

const FIRST: &str = "GPU-00000000-0000-0000-0000-000000000000";
const FOURTH: &str = "GPU-00000000-0000-0000-0000-000000000003";

#[test]
fn only_selected_or_visible_gpus_are_checked() {
    // GPU 3 of eight is lost.
    let script = "gpus = 8\ngpu.3.lost = 1";
    let lost = Err("driver.gpu-lost");
    let hidden = Err("launch.visible-devices");
    let absent = Err("launch.gpu-absent");
    // Number of healthy GPUs, or the id of the leading finding; empty: any.
    type Case = (&'static str, Option<&'static str>, &'static [&'static str], Result<usize, &'static str>);
    let cases: &[Case] = &[
        ("all", None, &[], lost),
        ("two by index", None, &["--gpus", "0,1"], Ok(2)),
        ("one by UUID", None, &["--gpus", FIRST], Ok(1)),
        ("the lost GPU by index", None, &["--gpus", "3"], lost),
        ("the lost GPU by UUID, which NVML no longer reports", None, &["--gpus", FOURTH], Err("")),
        ("an index that does not exist", None, &["--gpus", "9"], absent),
        ("visible by index", Some("0,1"), &[], Ok(2)),
        ("visible by UUID", Some(FIRST), &[], Ok(1)),
        ("the lost GPU is visible", Some("2,3"), &[], lost),
        ("--gpus counts visible GPUs", Some("3,2"), &["--gpus", "1"], Ok(1)),
        ("and the first visible GPU is lost", Some("3,2"), &["--gpus", "0"], lost),
        ("beyond the visible GPUs", Some("0,1"), &["--gpus", "2"], absent),
        ("an invalid entry hides those after it", Some("0,77,3"), &[], Ok(1)),
        ("empty hides all", Some(""), &[], hidden),
        ("-1 hides all", Some("-1"), &[], hidden),
        ("fewer visible than required", Some("0,1"), &["--require-gpus", "3"], Err("driver.too-few")),
        ("as many visible as required", Some("0,1"), &["--require-gpus", "2"], Ok(2)),
    ];
    // At level nvml cudacheck applies CUDA's rules; at level driver CUDA does.
    for level in ["nvml", "driver"] {
        for (name, variable, arguments, expected) in cases {
            let environment: Vec<(&str, &str)> =
                variable.iter().map(|value| ("CUDA_VISIBLE_DEVICES", *value)).collect();
            let arguments = [*arguments, &["--level", level]].concat();
            let (status, line, leading) = judged(script, &environment, &arguments);
            match expected {
                Ok(gpus) => {
                    assert!(status == 0 && is_healthy(&line, *gpus), "{name} at {level}: {line}");
                }
                Err(id) => {
                    assert!(status == 1 && line.starts_with("unhealthy: "), "{name} at {level}: {line}");
                    assert!(id.is_empty() || leading == *id, "{name} at {level}: {leading}: {line}");
                }
            }
        }
    }
}

#[test]
fn a_mig_instance_is_selected_by_uuid() {
    let script = "gpus = 2\ngpu.0.mig = 2\ngpu.1.lost = 1";
    let instance = "MIG-00000000-0000-0000-0000-000000000001";
    assert_eq!(health(script, &[], &["--gpus", instance]).0, 0);
    assert_eq!(health(script, &[("CUDA_VISIBLE_DEVICES", instance)], &[]).0, 0);
    let gone = "MIG-00000000-0000-0000-0000-000000000009";
    let (status, line, leading) = judged(script, &[("CUDA_VISIBLE_DEVICES", gone)], &[]);
    assert_eq!((status, leading.as_str()), (1, "launch.mig-name"), "{line}");
}

#[test]
fn a_gpu_is_lost_if_any_nvml_call_reports_it_lost() {
    for call in ["nvmlDeviceGetUtilizationRates", "nvmlDeviceGetTemperature", "nvmlDeviceGetComputeMode"] {
        for code in [15, 16] {
            let (status, line) = health(&format!("{call} = {code}"), &[], &[]);
            assert_eq!(status, 1, "{call} = {code}: {line}");
            assert!(line.contains(call) && line.contains(&code.to_string()), "{line}");
        }
    }
    // 3 is NVML_ERROR_NOT_SUPPORTED.
    assert_eq!(health("nvmlDeviceGetComputeMode = 3", &[], &[]).0, 0);
}

#[test]
fn busy_exclusive_and_full_gpus_are_healthy() {
    for script in ["compute_mode = 3\nused_by = 1", "free_mib = 10", "mig = 2", "used_by = 5\nfree_mib = 400"]
    {
        for level in ["nvml", "driver", "smoke"] {
            let (status, line) = health(script, &[], &["--level", level]);
            assert_eq!(status, 0, "{script} at {level}: {line}");
            assert!(line.starts_with("healthy: "), "{line}");
        }
    }
    for (script, words) in [("free_mib = 10", "10 MiB"), ("compute_mode = 3\nused_by = 1", "exclusive")] {
        for level in ["nvml", "driver", "smoke"] {
            let (_, line) = health(script, &[], &["--level", level]);
            assert!(line.contains("busy"), "{script} at {level}: {line}");
            assert!(level == "smoke" || line.contains(words), "{script} at {level}: {line}");
        }
    }
}

#[test]
fn an_unusable_gpu_is_unhealthy_at_every_level() {
    for (script, id) in [("compute_mode = 2", "device.context"), ("mig_mode = 1", "node.mig-empty")] {
        for level in ["nvml", "driver", "smoke"] {
            let (status, line, leading) = judged(script, &[], &["--level", level]);
            assert_eq!((status, leading.as_str()), (1, id), "{script} at {level}: {line}");
        }
    }
}

/// NVML may count GPUs of other containers, and refuses queries about them.
#[test]
fn a_gpu_that_was_not_checked_is_not_healthy() {
    let script = "gpus = 2\ngpu.0.nvmlDeviceGetHandleByIndex_v2 = 4";
    let (status, line) = health(script, &[], &[]);
    assert!(status == 0 && is_healthy(&line, 1), "{line}");
    for (variable, arguments) in [
        (None, &["--gpus", "0"][..]),
        (None, &["--gpus", "0", "--require-gpus", "1"]),
        (Some("0"), &["--require-gpus", "1"]),
    ] {
        let environment: Vec<(&str, &str)> =
            variable.iter().map(|value| ("CUDA_VISIBLE_DEVICES", *value)).collect();
        let (status, line) = health(script, &environment, arguments);
        assert_eq!(status, 1, "{arguments:?}: {line}");
    }
}

#[test]
fn level_image_checks_no_gpu_and_is_not_healthy() {
    for purpose in ["liveness", "readiness", "startup"] {
        let (status, line) = health("gpus = 1", &[], &["--level", "image", "--for", purpose]);
        assert!(
            status == 1 && line.starts_with("unhealthy: ") && line.contains("--level nvml"),
            "{purpose}: {line}"
        );
    }
    for arguments in [&["serve", "--level", "image"][..], &["serve", "--startup-level", "image"]] {
        let output = Command::new(BINARY).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("--level nvml"), "{}", text(&output.stderr));
    }
}

#[test]
fn a_gpu_that_was_not_selected_may_hang() {
    let script = "gpus = 4\ngpu.3.nvmlDeviceGetName = hang";
    let arguments = ["--gpus", "0", "--timeout", "1s"];
    let (status, line) = health(script, &[], &arguments);
    assert!(status == 0 && is_healthy(&line, 1), "{line}");
    let (status, line) = health(script, &[], &["--gpus", "3", "--timeout", "1s"]);
    assert!(status == 1 && line.contains("nvmlDeviceGetName did not return"), "{line}");
}

#[test]
fn an_empty_variable_is_not_set() {
    let names = ["CUDACHECK_GPUS", "CUDACHECK_FOR", "CUDACHECK_REQUIRE_GPUS", "CUDACHECK_HEALTH_TIMEOUT"];
    let empty = names.map(|name| (name, ""));
    assert_eq!(health("gpus = 1", &empty, &[]).0, 0);
    // The main command's variables do not apply here.
    assert_eq!(health("gpus = 1", &[("CUDACHECK_LEVEL", "bogus")], &[]).0, 0);
}

#[test]
fn the_exit_status_is_right_even_if_nothing_can_be_written() {
    for (script, wanted) in [("gpus = 1", 0), ("nvmlInit_v2 = 999", 1)] {
        let (mut full, _file) = command(script);
        let device = File::options().write(true).open("/dev/full").unwrap();
        assert_eq!(full.stdout(device).stderr(Stdio::null()).status().unwrap().code(), Some(wanted));
        let (closed, _file) = command(script);
        let shell = format!("exec {BINARY} health >&- 2>&- <&-");
        let shell = alone("sh")
            .args(["-c", &shell])
            .envs(closed.get_envs().filter_map(|(k, v)| Some((k, v?))))
            .status();
        assert_eq!(shell.unwrap().code(), Some(wanted));
    }
}

/// Resource limits of a container or a user: the binary must name the limit and must not crash.
#[test]
fn a_resource_limit_is_named() {
    for (limit, words) in [("ulimit -n 8", "files"), ("ulimit -n 3", "files"), ("ulimit -f 0", "size")] {
        let (command, _file) = command("gpus = 1");
        let script = format!("{limit}; exec {BINARY} health");
        let environment = command.get_envs().filter_map(|(key, value)| Some((key, value?)));
        let output = alone("sh").args(["-c", &script]).envs(environment).output().unwrap();
        let (status, line) = answer(&output);
        assert!(matches!(status, 0 | 1), "{limit}: {status} {line} {}", text(&output.stderr));
        assert!(line.contains(words), "{limit}: {line}");
        assert!(!text(&output.stderr).contains("panicked"), "{limit}: {}", text(&output.stderr));
    }
}

/// A user who may not start another thread or process.
#[test]
fn a_full_process_table_is_named() {
    let mut root = Root::machine("gpus = 1");
    if !is_root() {
        skip("a process limit needs another user, which needs root");
        return;
    }
    root.first_process = false;
    // The process table is full before the binary of that user starts.
    root.user = Some("54321:54321".into());
    root.prepare += "prlimit --pid $$ --nproc=1:1\n";
    let output = root.run(&["health"]);
    let (status, line) = answer(&output);
    assert_eq!(status, 1, "{line} {}", text(&output.stderr));
    assert!(line.contains("--pids-limit"), "{line}");
}

/// Overlapping calls: a probe that finds another one running ends, and its caller waits.
#[test]
fn overlapping_calls_are_all_healthy() {
    let (command, _file) = command("gpus = 1\ncuInit = sleep:100");
    // In one mount namespace, as in one container.
    let script = format!(
        "for call in 1 2 3 4 5 6; do {BINARY} health --level driver --timeout 20s & calls=\"$calls $!\"; done; \
         for call in $calls; do wait $call || exit 1; done"
    );
    let environment = command.get_envs().filter_map(|(key, value)| Some((key, value?)));
    let output = alone("sh").args(["-c", &script]).envs(environment).output().unwrap();
    let (status, lines) = answer(&output);
    assert_eq!((status, lines.lines().count()), (0, 6), "{lines}");
    assert!(lines.lines().all(|line| is_healthy(line, 1)), "{lines}");
}

/// An ignored SIGCHLD is inherited.
#[test]
fn a_caller_may_ignore_sigchld() {
    let (command, _file) = command("gpus = 1");
    let script = format!("trap '' CHLD; exec {BINARY} health");
    let environment = command.get_envs().filter_map(|(key, value)| Some((key, value?)));
    let output = alone("sh").args(["-c", &script]).envs(environment).output().unwrap();
    let (status, line) = answer(&output);
    assert!(status == 0 && is_healthy(&line, 1), "{line}");
}
