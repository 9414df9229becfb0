//! Probes that misbehave: each ends in time with a clear finding, and leaves nothing behind.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::util::{
    BINARY, Root, alone, evidence, fakes, finding, ids, is_root, report, skip, stage, text, timed,
};

const DRIVER: [&str; 2] = ["--level", "driver"];

#[test]
fn a_hung_driver_call_is_reported_at_the_deadline() {
    let root = Root::machine("cuInit = hang-ignoring-term");
    let ((report, status), time) = timed(|| root.report(&["--level", "driver", "--timeout", "1500ms"]));
    assert_eq!((status, ids(&report)[0]), (1, "probe.hung"));
    let hung = finding(&report, "probe.hung");
    assert!(hung["cause"].as_str().unwrap().contains("cuInit did not return"), "{hung}");
    assert_eq!(stage(&report, "driver-init", None)["outcome"], "hung");
    assert!(time >= Duration::from_millis(1400) && time < Duration::from_millis(1900), "{time:?}");
}

#[test]
fn a_crash_is_reported_with_signal_and_stage() {
    for (action, name) in [("segv", "SIGSEGV"), ("print:assertion failed in fake,abort", "SIGABRT")] {
        let (report, status) = Root::machine(&format!("cuInit = {action}")).report(&DRIVER);
        assert_eq!((status, ids(&report)[0]), (1, "probe.crashed"), "{action}");
        let crashed = finding(&report, "probe.crashed");
        let cause = crashed["cause"].as_str().unwrap();
        for part in [name, "cuInit", "driver-init"] {
            assert!(cause.contains(part), "{part}: {cause}");
        }
        assert!(evidence(crashed).contains("/usr/lib/libcuda.so.1"), "the last library loaded: {crashed}");
        if action.starts_with("print") {
            assert!(evidence(crashed).contains("assertion failed in fake"), "{crashed}");
        }
    }
}

#[test]
fn a_silent_exit_is_reported() {
    for (action, code) in [("exit", 0), ("exit:7", 7)] {
        let (report, status) = Root::machine(&format!("cuInit = {action}")).report(&DRIVER);
        assert_eq!((status, ids(&report)[0]), (1, "probe.ended-early"), "{action}");
        let cause = finding(&report, "probe.ended-early")["cause"].as_str().unwrap();
        assert!(cause.contains(&format!("status {code}")) && cause.contains("cuInit"), "{cause}");
    }
}

#[test]
fn a_flood_of_output_is_harmless() {
    let root =
        Root::machine("sms = 2\ncuInit = flood\nnvmlInit_v2 = flood\ncuDevicePrimaryCtxRetain = flood");
    let (report, status) = root.report(&["--level", "smoke"]);
    assert_eq!((status, &report["verdict"]), (0, &"verified".into()), "{report:#}");
    let output = root.run(&["--level", "smoke", "--format", "json"]);
    assert!(output.stderr.is_empty(), "output of libraries is not passed on: {}", text(&output.stderr));
}

#[test]
fn a_forked_process_does_not_delay_the_report() {
    let root = Root::machine("cuInit = fork");
    let ((report, status), time) = timed(|| root.report(&DRIVER));
    assert_eq!((status, &report["verdict"]), (0, &"verified".into()), "{report:#}");
    assert!(time < Duration::from_secs(3), "{time:?}");
}

/// Not as PID 1 of a namespace, whose end would kill the forked process too.
#[test]
fn a_process_that_a_library_forks_is_ended() {
    let mut root = Root::machine("cuInit = fork");
    root.first_process = false;
    // The link /proc/PID/root identifies processes of this root.
    let inside = root.path("/");
    let inside = inside.to_string_lossy().trim_end_matches('/').to_owned();
    assert_eq!(root.report(&DRIVER).1, 0);
    let left = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter(|entry| {
                fs::read_link(entry.path().join("root")).is_ok_and(|root| root.to_string_lossy() == inside)
            })
            .count()
    };
    let end = Instant::now() + Duration::from_secs(2);
    while left() > 0 && Instant::now() < end {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(left(), 0, "processes are left in {inside}");
}

#[test]
fn as_pid_1_it_exits_on_sigterm() {
    let root = Root::machine("cuInit = hang");
    let mut child =
        root.command(&["--level", "driver", "--timeout", "30s"]).stdout(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    // The binary is a child of unshare. Find it by its root.
    let inside = root.path("/").to_string_lossy().trim_end_matches('/').to_owned();
    let first = loop {
        let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let mut ours = processes.filter(|path| {
            fs::read_link(path.join("root")).is_ok_and(|root| root.to_string_lossy() == inside)
                && fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == "cudacheck")
        });
        match ours.next() {
            Some(path) => break path.file_name().unwrap().to_string_lossy().into_owned(),
            None => assert!(start.elapsed() < Duration::from_secs(5), "the binary has started"),
        }
        thread::sleep(Duration::from_millis(10));
    };
    thread::sleep(Duration::from_millis(200));
    Command::new("kill").arg(&first).status().unwrap();
    let (status, time) = timed(|| child.wait().unwrap());
    assert!(time < Duration::from_secs(1), "it exits at once, not at the deadline: {time:?}");
    assert_eq!(status.code(), Some(128 + 15));
}

/// A caller's pipe must close with the supervisor, even if the probe is still there.
#[test]
fn nothing_inherited_keeps_a_callers_pipe_open() {
    let mut root = Root::machine("cuInit = hang");
    root.first_process = false;
    let mut command = root.command(&["--level", "driver", "--timeout", "1s"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut out, start) = (String::new(), Instant::now());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut out).unwrap();
    assert!(start.elapsed() < Duration::from_millis(1800), "both pipes closed after {:?}", start.elapsed());
    child.wait().unwrap();
}

/// SIGKILL does not end a process that the cgroup v1 freezer has frozen.
#[test]
fn a_probe_that_cannot_be_killed_is_left_behind_and_reported() {
    let freezer = std::path::Path::new("/sys/fs/cgroup/freezer");
    if !is_root() || !freezer.join("cgroup.procs").exists() {
        skip("there is no cgroup v1 freezer; v2 kills frozen processes");
        return;
    }
    let group = freezer.join(format!("cudacheck-{}", std::process::id()));
    fs::create_dir_all(&group).unwrap();
    let mut root = Root::machine("cuInit = hang");
    root.first_process = false;
    // Both calls in one mount namespace, as in one container.
    root.prepare += "chroot $R /cudacheck --level driver --timeout 2s --format json || sleep 2.2\n";
    let mut command = root.command(&["--level", "driver", "--timeout", "5s", "--format", "json"]);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    let pid = loop {
        let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let inside = root.path("/").to_string_lossy().trim_end_matches('/').to_owned();
        let mut ours = processes.filter(|path| {
            fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.starts_with("cc2/:driver-in"))
                && fs::read_link(path.join("root")).is_ok_and(|root| root.to_string_lossy() == inside)
        });
        match ours.next() {
            Some(path) => break path.file_name().unwrap().to_string_lossy().into_owned(),
            None => assert!(start.elapsed() < Duration::from_secs(3), "the probe reaches cuInit"),
        }
        thread::sleep(Duration::from_millis(5));
    };
    fs::write(group.join("cgroup.procs"), &pid).unwrap();
    fs::write(group.join("freezer.state"), "FROZEN").unwrap();
    let output = child.wait_with_output().unwrap();
    let time = start.elapsed();
    fs::write(group.join("freezer.state"), "THAWED").unwrap();
    let end = Instant::now() + Duration::from_secs(2);
    while fs::remove_dir(&group).is_err() && Instant::now() < end {
        thread::sleep(Duration::from_millis(10));
    }
    let both = text(&output.stdout);
    let (first, second) =
        both.split_once("\n}\n").map(|(first, second)| (format!("{first}\n}}\n"), second)).unwrap();
    let parse = |text: &str| report(&std::process::Output { stdout: text.into(), ..output.clone() });
    let (first, second) = (parse(&first), parse(second));
    assert_eq!(ids(&first)[0], "probe.hung");
    assert!(evidence(finding(&first, "probe.hung")).contains("SIGKILL"), "{first:#}");
    assert_eq!(ids(&second)[0], "probe.stuck");
    let stuck = finding(&second, "probe.stuck");
    let cause = stuck["cause"].as_str().unwrap();
    assert!(cause.contains(&pid) && cause.contains("driver-in"), "{cause}");
    // Two seconds, the pause, and a second call that starts no probe.
    assert!(time < Duration::from_millis(5300), "{time:?}");
}

#[test]
fn a_running_probe_of_another_call_is_awaited() {
    let mut root = Root::machine("cuInit = sleep:700");
    root.first_process = false;
    root.prepare += "chroot $R /cudacheck --level driver >/dev/null & sleep 0.2\n";
    let (report, status) = root.report(&["--level", "driver", "--timeout", "10s"]);
    assert_eq!((status, &report["verdict"]), (0, &"verified".into()), "{report:#}");
}

#[test]
fn a_running_probe_of_another_call_is_not_reported_as_stuck() {
    let mut root = Root::machine("cuInit = sleep:1500");
    root.first_process = false;
    root.prepare += "chroot $R /cudacheck --level driver >/dev/null & sleep 0.2\n";
    let (report, status) = root.report(&["--level", "driver", "--timeout", "500ms"]);
    assert_eq!((status, ids(&report)[0]), (3, "probe.another"), "{report:#}");
}

/// Containers of a pod share the network namespace, and with it abstract socket names.
#[test]
fn containers_of_one_pod_do_not_disturb_each_other() {
    let (hanging, healthy) = (Root::machine("cuInit = hang"), Root::machine("cuInit = sleep:1"));
    let mut first =
        hanging.command(&["--level", "driver", "--timeout", "3s"]).stdout(Stdio::null()).spawn().unwrap();
    thread::sleep(Duration::from_millis(500));
    let ((report, status), time) = timed(|| healthy.report(&DRIVER));
    assert_eq!((status, &report["verdict"]), (0, &"verified".into()), "{report:#}");
    assert!(time < Duration::from_millis(1500), "it does not wait for the other: {time:?}");
    first.wait().unwrap();
}

/// Without chroot, as for a plain user.
#[test]
fn health_on_the_hosts_root() {
    let script = tempfile::NamedTempFile::new().unwrap();
    fs::write(script.path(), "gpus = 2").unwrap();
    let output = alone(BINARY)
        .args(["health", "--level", "driver"])
        .env("LD_LIBRARY_PATH", fakes())
        .env("FAKE_GPU", script.path())
        .output()
        .unwrap();
    let line = text(&output.stdout);
    assert_eq!((output.status.code(), line.lines().count()), (Some(0), 1), "{line}");
    assert!(line.starts_with("healthy: 2 GPUs "), "{line}");
}
