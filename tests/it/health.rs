//! `cudacheck health`: what fails which probe, which GPUs it is about, and what it survives.

use std::fs::{self, File};
use std::process::{Command, Output, Stdio};

use crate::util::{BINARY, Root, alone, fakes, text};

/// On the machine itself, with fakes that follow a script.
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

fn answer(output: &Output) -> (i32, String) {
    (output.status.code().unwrap_or(-1), text(&output.stdout))
}

#[test]
fn a_broken_driver_fails_readiness_and_startup_and_leaves_the_container_alive() {
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
        // The variable says the same.
        if let [_, name] = purpose {
            let (by_variable, _) = health("cuInit = 999", &[("CUDACHECK_FOR", name)], &["--level", "driver"]);
            assert_eq!(by_variable, status, "CUDACHECK_FOR={name}");
        }
        let (healthy, line) = health("gpus = 1", &[], &arguments);
        assert_eq!((healthy, line.as_str()), (0, "healthy: 1 GPU is listed by CUDA.\n"));
    }
}

const FIRST: &str = "GPU-00000000-0000-0000-0000-000000000000";
const FOURTH: &str = "GPU-00000000-0000-0000-0000-000000000003";

#[test]
fn a_check_is_about_the_gpus_that_were_chosen_or_that_cuda_shows() {
    // The fourth of eight is lost.
    let script = "gpus = 8\ngpu.3.lost = 1";
    let lost = "A GPU does not answer";
    let visible = "CUDA_VISIBLE_DEVICES hides every GPU";
    let absent = "A GPU that --gpus names is not here";
    type Case = (&'static str, Option<&'static str>, &'static [&'static str], i32, &'static str);
    let cases: &[Case] = &[
        ("all", None, &[], 1, lost),
        ("two of them", None, &["--gpus", "0,1"], 0, "healthy: 2 GPUs are"),
        ("by UUID", None, &["--gpus", FIRST], 0, "healthy: 1 GPU is"),
        ("the lost one", None, &["--gpus", "3"], 1, lost),
        ("the lost one, whose UUID NVML does not tell any more", None, &["--gpus", FOURTH], 1, "unhealthy: "),
        ("none such", None, &["--gpus", "9"], 1, absent),
        ("shown by number", Some("0,1"), &[], 0, "healthy: 2 GPUs are"),
        ("shown by the beginning of a UUID", Some(FIRST), &[], 0, "healthy: 1 GPU is"),
        ("the lost one is shown", Some("2,3"), &[], 1, lost),
        ("numbers count what is shown", Some("3,2"), &["--gpus", "1"], 0, "healthy: 1 GPU is"),
        ("and the first of them is lost", Some("3,2"), &["--gpus", "0"], 1, lost),
        ("beyond what is shown", Some("0,1"), &["--gpus", "2"], 1, absent),
        ("nothing behind what names nothing", Some("0,77,3"), &[], 0, "healthy: 1 GPU is"),
        ("nothing is shown", Some(""), &[], 1, visible),
        ("minus one hides all", Some("-1"), &[], 1, visible),
        ("too few are shown", Some("0,1"), &["--require-gpus", "3"], 1, "Fewer GPUs"),
        ("enough are shown", Some("0,1"), &["--require-gpus", "2"], 0, "healthy: 2 GPUs are"),
    ];
    // Without CUDA its rules are followed; with it they are its own. The words of health are those of the level.
    for level in ["nvml", "driver"] {
        for (name, variable, arguments, status, words) in cases {
            let environment: Vec<(&str, &str)> =
                variable.iter().map(|value| ("CUDA_VISIBLE_DEVICES", *value)).collect();
            let (seen, line) = health(script, &environment, &[*arguments, &["--level", level]].concat());
            let first = line.lines().next().unwrap_or_default();
            assert_eq!(seen, *status, "{name} at {level}: {line}");
            let words = words.replace("GPUs are", "GPUs").replace("GPU is", "GPU");
            assert!(first.contains(&words), "{name} at {level}: {first}");
        }
    }
}

#[test]
fn an_instance_of_mig_is_chosen_by_its_uuid() {
    let script = "gpus = 2\ngpu.0.mig = 2\ngpu.1.lost = 1";
    let instance = "MIG-00000000-0000-0000-0000-000000000001";
    assert_eq!(health(script, &[], &["--gpus", instance]).0, 0);
    assert_eq!(health(script, &[("CUDA_VISIBLE_DEVICES", instance)], &[]).0, 0);
    let gone = "MIG-00000000-0000-0000-0000-000000000009";
    let (status, line) = health(script, &[("CUDA_VISIBLE_DEVICES", gone)], &[]);
    assert_eq!(status, 1);
    assert!(line.contains("names a MIG instance that is not here"), "{line}");
}

#[test]
fn a_gpu_that_any_answer_calls_lost_is_lost() {
    for call in ["nvmlDeviceGetUtilizationRates", "nvmlDeviceGetTemperature", "nvmlDeviceGetComputeMode"] {
        for code in [15, 16] {
            let (status, line) = health(&format!("{call} = {code}"), &[], &[]);
            assert_eq!(status, 1, "{call} = {code}: {line}");
            assert!(line.contains(call) && line.contains(&code.to_string()), "{line}");
        }
    }
    // An answer that a GPU does not have says nothing of the kind.
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
    for (script, words) in [("free_mib = 10", "10 MiB"), ("compute_mode = 3\nused_by = 1", "exclusive mode")]
    {
        for level in ["nvml", "driver", "smoke"] {
            let (_, line) = health(script, &[], &["--level", level]);
            assert!(line.contains("busy"), "{script} at {level}: {line}");
            assert!(level == "smoke" || line.contains(words), "{script} at {level}: {line}");
        }
    }
}

#[test]
fn a_gpu_that_nobody_can_use_is_unhealthy_at_every_level() {
    for (script, words) in [
        ("compute_mode = 2", "compute mode is prohibited"),
        ("mig_mode = 1", "MIG is enabled and there is no instance"),
    ] {
        for level in ["nvml", "driver", "smoke"] {
            let (status, line) = health(script, &[], &["--level", level]);
            assert!(status == 1 && line.contains(words), "{script} at {level}: {line}");
        }
    }
}

/// NVML may count GPUs that belong to others, and does not let this process ask them.
#[test]
fn what_was_not_looked_at_is_not_healthy() {
    let script = "gpus = 2\ngpu.0.nvmlDeviceGetHandleByIndex_v2 = 4";
    let (status, line) = health(script, &[], &[]);
    assert_eq!((status, line.as_str()), (0, "healthy: 1 GPU is healthy by NVML's account.\n"));
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
fn a_level_that_looks_at_no_gpu_is_not_healthy() {
    for purpose in ["liveness", "readiness", "startup"] {
        let (status, line) = health("gpus = 1", &[], &["--level", "image", "--for", purpose]);
        assert!(
            status == 1 && line.starts_with("unhealthy: Level image looks at no GPU"),
            "{purpose}: {line}"
        );
    }
    for arguments in [&["serve", "--level", "image"][..], &["serve", "--startup-level", "image"]] {
        let output = Command::new(BINARY).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("looks at no GPU"), "{}", text(&output.stderr));
    }
}

#[test]
fn a_gpu_that_was_not_chosen_may_hang() {
    let script = "gpus = 4\ngpu.3.nvmlDeviceGetName = hang";
    let arguments = ["--gpus", "0", "--timeout", "1s"];
    let (status, line) = health(script, &[], &arguments);
    assert_eq!((status, line.as_str()), (0, "healthy: 1 GPU is healthy by NVML's account.\n"));
    let (status, line) = health(script, &[], &["--gpus", "3", "--timeout", "1s"]);
    assert!(status == 1 && line.contains("nvmlDeviceGetName did not return"), "{line}");
}

#[test]
fn variables_that_are_set_to_nothing_are_not_set() {
    let names = ["CUDACHECK_GPUS", "CUDACHECK_FOR", "CUDACHECK_REQUIRE_GPUS", "CUDACHECK_HEALTH_TIMEOUT"];
    let empty = names.map(|name| (name, ""));
    assert_eq!(health("gpus = 1", &empty, &[]).0, 0);
    // Those of the main command are no matter of this one.
    assert_eq!(health("gpus = 1", &[("CUDACHECK_LEVEL", "bogus")], &[]).0, 0);
}

#[test]
fn where_nothing_can_be_written_the_status_still_tells() {
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

/// Limits that a container or a user may have; the binary must say which one, and must not die of it.
#[test]
fn a_limit_that_is_reached_is_named() {
    for (limit, words) in
        [("ulimit -n 8", "files"), ("ulimit -n 3", "files"), ("ulimit -f 0", "limit on the size of files")]
    {
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

/// A user who may start nothing more: no thread, no process.
#[test]
fn a_full_process_table_is_named() {
    let mut root = Root::machine("gpus = 1");
    if !crate::util::is_root() {
        crate::util::skip("a limit of processes needs another user, and that root");
        return;
    }
    root.first_process = false;
    // The program of the limit's user starts when the table is full already.
    root.user = Some("54321:54321".into());
    root.prepare += "prlimit --pid $$ --nproc=1:1\n";
    let output = root.run(&["health"]);
    let (status, line) = answer(&output);
    assert_eq!(status, 1, "{line} {}", text(&output.stderr));
    assert!(line.contains("process table is full") && line.contains("--pids-limit"), "{line}");
}

/// Two calls at once: the probe that comes second to a place leaves it, and its call waits.
#[test]
fn overlapping_calls_are_all_right() {
    let (command, _file) = command("gpus = 1\ncuInit = sleep:100");
    // All in one namespace, as in one container.
    let script = format!(
        "for call in 1 2 3 4 5 6; do {BINARY} health --level driver --timeout 20s & calls=\"$calls $!\"; done; \
         for call in $calls; do wait $call || exit 1; done"
    );
    let environment = command.get_envs().filter_map(|(key, value)| Some((key, value?)));
    let output = alone("sh").args(["-c", &script]).envs(environment).output().unwrap();
    assert_eq!(answer(&output), (0, "healthy: 1 GPU is listed by CUDA.\n".repeat(6)));
}

/// A caller that ignores SIGCHLD hands that down.
#[test]
fn a_caller_that_ignores_its_children_is_no_matter() {
    let (command, _file) = command("gpus = 1");
    let script = format!("trap '' CHLD; exec {BINARY} health");
    let environment = command.get_envs().filter_map(|(key, value)| Some((key, value?)));
    let output = alone("sh").args(["-c", &script]).envs(environment).output().unwrap();
    assert_eq!(answer(&output), (0, "healthy: 1 GPU is healthy by NVML's account.\n".to_owned()));
}
